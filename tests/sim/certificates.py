"""Certificates for tests, made with openssl: authorities, and what they sign."""
import os
import subprocess

CONFIG = """
[ca]
default_ca = own
[own]
dir = {dir}
new_certs_dir = {dir}
database = {dir}/index
serial = {dir}/serial
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost,IP:127.0.0.1
extendedKeyUsage = serverAuth,clientAuth
"""


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=60)


class Authority:
    def __init__(self, folder):
        self.dir = folder
        os.makedirs(folder)
        open(self.path("index"), "w").close()
        with open(self.path("ca.conf"), "w") as f:
            f.write(CONFIG.format(dir=folder))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", "/CN=test authority", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def sign(self, folder, start="20200101000000Z", end="20991231235959Z"):
        """A folder as the docker CLI knows it: ca.pem, cert.pem, key.pem."""
        os.makedirs(folder, exist_ok=True)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=leaf",
                "-keyout", f"{folder}/key.pem", "-out", f"{folder}/request.pem")
        openssl("ca", "-batch", "-config", self.path("ca.conf"), "-cert", self.path("ca.pem"), "-keyfile", self.path("ca.key"),
                "-extensions", "leaf", "-startdate", start, "-enddate", end, "-notext",
                "-in", f"{folder}/request.pem", "-out", f"{folder}/cert.pem")
        with open(self.path("ca.pem")) as ca, open(f"{folder}/ca.pem", "w") as f:
            f.write(ca.read())
        return folder
