"""The Google simulator's tokens: every credential that Application Default Credentials know, and what is refused."""
import json
import time
import unittest

from gcp import ACCOUNT, PROJECT, SCOPE, Cloud, base64url, claims_of, from_base64url, padded_hash, request, sign_jwt
from harness import await_true, main

METADATA = "/computeMetadata/v1/"
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
EXCHANGE = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": POOL, "scope": SCOPE,
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token": "anything", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
GENERATE = f"/v1/projects/-/serviceAccounts/{ACCOUNT}"


class Auth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = cls.enterClassContext(Cloud())

    def metadata(self, path, flavor="Google"):
        return request("GET", self.cloud.base + METADATA + path, None, {"Metadata-Flavor": flavor} if flavor else {})

    def works(self, token):
        return self.cloud.api("POST", f"{GENERATE}:generateIdToken", {"audience": "a"}, token=token)[0] == 200

    def test_a_service_account_gets_an_access_token(self):
        status, answer = self.cloud.grant(self.cloud.jwt())
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["token_type"], "Bearer")
        self.assertEqual(answer["expires_in"], 3599)
        self.assertTrue(self.works(answer["access_token"]))

    def test_assertions_that_are_refused(self):
        now = int(time.time())
        good = self.cloud.jwt()
        head, body, signature = good.split(".")
        forged = base64url(json.dumps(dict(claims_of(good), scope="other")).encode())
        other = dict(self.cloud.credentials, private_key_id="0" * 40)
        for name, jwt in (("none", ""), ("two parts", f"{head}.{body}"), ("other claims", f"{head}.{forged}.{signature}"),
                          ("deleted key", sign_jwt(other, **claims_of(good))),
                          ("alg none", base64url(b'{"alg":"none"}') + f".{body}."),
                          ("audience", self.cloud.jwt(aud="https://example.com/token")),
                          ("account", self.cloud.jwt(iss="other@example.com")),
                          ("too long", self.cloud.jwt(exp=now + 7200)), ("old", self.cloud.jwt(iat=now - 9000, exp=now - 5400)),
                          ("future", self.cloud.jwt(iat=now + 2000, exp=now + 3000)), ("no scope", self.cloud.jwt(scope=None))):
            with self.subTest(name):
                status, answer = self.cloud.grant(jwt)
                self.assertEqual(status, 400, answer)
                self.assertIn("error_description", answer)

    def test_an_id_token_is_signed_with_a_published_key(self):
        token = self.cloud.id_token("https://service.example")
        claims = claims_of(token)
        self.assertEqual(claims["aud"], "https://service.example")
        self.assertEqual(claims["email"], ACCOUNT)
        self.assertEqual(claims["iss"], "https://accounts.google.com")
        text, signature = token.rsplit(".", 1)
        keys = json.loads(request("GET", self.cloud.base + "/oauth2/v3/certs")[2])["keys"]
        kid = json.loads(from_base64url(token.split(".")[0]))["kid"]
        key, = [k for k in keys if k["kid"] == kid]
        n, e = (int.from_bytes(from_base64url(key[x]), "big") for x in "ne")
        self.assertEqual(pow(int.from_bytes(from_base64url(signature), "big"), e, n).to_bytes(256, "big"),
                         padded_hash(text, 256))

    def test_a_self_signed_token_calls_an_api(self):
        self.assertTrue(self.works(self.cloud.jwt(sub=ACCOUNT, aud="https://run.googleapis.com/", scope=None)))
        self.assertTrue(self.works(self.cloud.jwt(sub=ACCOUNT, aud=None)))
        self.assertFalse(self.works(self.cloud.jwt(aud=None)))
        self.assertFalse(self.works(self.cloud.jwt(sub=ACCOUNT, aud=None, exp=int(time.time()) - 1)))

    def test_a_user_gets_an_access_token(self):
        user = self.cloud.credentials_file("authorized_user")
        form = {k: user[k] for k in ("client_id", "client_secret", "refresh_token")}
        status, answer = self.cloud.token_call("/token", grant_type="refresh_token", **form)
        self.assertEqual(status, 200, answer)
        self.assertTrue(self.works(answer["access_token"]))
        for missing in form:
            with self.subTest(missing):
                rest = {k: v for k, v in form.items() if k != missing}
                self.assertEqual(self.cloud.token_call("/token", grant_type="refresh_token", **rest)[0], 400)
        self.assertEqual(self.cloud.token_call("/token", grant_type="password")[0], 400)

    def test_a_federated_identity_becomes_a_service_account(self):
        status, answer = self.cloud.token_call("/v1/token", **EXCHANGE)
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["issued_token_type"], EXCHANGE["requested_token_type"])
        status, answer = self.cloud.api("POST", f"{GENERATE}:generateAccessToken", {"scope": [SCOPE], "lifetime": "600s"},
                                        token=answer["access_token"])
        self.assertEqual(status, 200, answer)
        self.assertRegex(answer["expireTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertTrue(self.works(answer["accessToken"]))
        for field in EXCHANGE:
            with self.subTest(field):
                self.assertEqual(self.cloud.token_call("/v1/token", **dict(EXCHANGE, **{field: ""}))[0], 400)

    def test_what_iam_credentials_refuse(self):
        for path, body, expected in ((f"{GENERATE}:generateIdToken", {}, 400), (f"{GENERATE}:generateAccessToken", {}, 400),
                                     (f"{GENERATE}:generateAccessToken", {"scope": ["a"], "lifetime": "9000s"}, 400),
                                     (f"{GENERATE}:generateIdToken", "[", 400), (f"{GENERATE}:other", {}, 404),
                                     ("/v1/projects/-/serviceAccounts/x:generateIdToken", {"audience": "a"}, 404)):
            with self.subTest(path=path, body=body):
                self.assertEqual(self.cloud.api("POST", path, body)[0], expected)

    def test_the_metadata_server(self):
        status, headers, body = request("GET", self.cloud.base + "/")
        self.assertEqual((status, headers["Metadata-Flavor"]), (200, "Google"))
        status, headers, body = self.metadata("instance/service-accounts/default/token")
        self.assertEqual((status, headers["Metadata-Flavor"]), (200, "Google"))
        self.assertTrue(self.works(json.loads(body)["access_token"]))
        body = self.metadata("instance/service-accounts/default/identity?audience=https://a.example&format=full")[2].decode()
        self.assertEqual((claims_of(body)["aud"], claims_of(body)["email"]), ("https://a.example", ACCOUNT))
        self.assertEqual(self.metadata("instance/service-accounts/default/identity")[0], 400)
        self.assertEqual(self.metadata("project/project-id")[2], PROJECT.encode())
        self.assertEqual(self.metadata("instance/service-accounts/default/email")[2], ACCOUNT.encode())
        self.assertEqual(self.metadata("project/project-id", None)[0], 403)
        self.assertEqual(self.metadata("project/project-id", "Other")[0], 403)
        self.assertEqual(self.metadata("project/nothing")[0], 404)

    def test_calls_without_a_token_are_refused(self):
        for header in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer "}):
            status, headers, body = request("POST", self.cloud.base + f"{GENERATE}:generateIdToken", "{}", header)
            error = json.loads(body)["error"]
            self.assertEqual((status, error["code"], error["status"]), (401, 401, "UNAUTHENTICATED"))

    def test_unknown_paths_are_the_front_ends_page(self):
        status, headers, body = request("GET", self.cloud.base + "/v9/nothing")
        self.assertEqual(status, 404)
        self.assertIn("text/html", headers["Content-Type"])


class Expiry(unittest.TestCase):
    def test_a_token_expires(self):
        with Cloud("--token-lifetime", "1") as cloud:
            def refused():
                return cloud.api("POST", f"{GENERATE}:generateIdToken", {"audience": "a"})[0] == 401
            await_true("the token expires", refused)


if __name__ == "__main__":
    main()
