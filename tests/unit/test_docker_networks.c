/* The Docker API over HTTP: what networks are made of, and who may be where in them. */
#include "docker_helper.h"

#define SUBNET(rest) "{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/24\"" rest "}]}}"

START_TEST(bad_settings_are_refused_with_all_their_faults)
{
    static const struct {
        const char *body;
        int status;
        const char *message;
    } cases[] = {
        {SUBNET(",\"Gateway\":\"10.8.0.1\""), 400,
         "invalid gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't contain this address"},
        {SUBNET(",\"Gateway\":\"junk\""), 400, "invalid gateway junk: invalid address"},
        {SUBNET(",\"Gateway\":\"fd00::1\""), 400,
         "invalid gateway fd00::1: parent subnet is an IPv4 block"},
        {SUBNET(",\"IPRange\":\"junk\""), 400,
         "invalid ip-range junk: invalid CIDR block notation"},
        {SUBNET(",\"IPRange\":\"10.8.0.0/25\""), 400,
         "invalid ip-range 10.8.0.0/25: parent subnet 10.9.0.0/24 doesn't contain ip-range"},
        {SUBNET(",\"IPRange\":\"10.9.0.130/25\""), 400,
         "invalid ip-range 10.9.0.130/25: it should be 10.9.0.128/25"},
        {SUBNET(",\"IPRange\":\"10.9.0.0/16\""), 400,
         "invalid ip-range 10.9.0.0/16: CIDR block is bigger than its parent subnet "
         "10.9.0.0/24"},
        {SUBNET(",\"AuxiliaryAddresses\":{\"a\":\"10.8.0.5\"}"), 400,
         "invalid auxiliary address a: parent subnet 10.9.0.0/24 doesn't contain this address"},
        {SUBNET(",\"Gateway\":\"junk\",\"AuxiliaryAddresses\":{\"a\":\"b\"}"), 400,
         "* invalid gateway junk: invalid address\n* invalid auxiliary address a: invalid address"},
        {SUBNET(",\"AuxiliaryAddresses\":{\"a\":\"10.9.0.1\"}"), 500,
         "failed to allocate secondary ip address (a:10.9.0.1): Address already in use"},
        {SUBNET(",\"Gateway\":\"10.9.0.255\""), 500,
         "failed to allocate gateway (10.9.0.255): Address already in use"},
        {SUBNET("},{\"Subnet\":\"10.10.0.0/24\""), 403,
         "bridge driver doesn't support multiple subnets"},
        {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.5/24\"}]}}", 400,
         "invalid subnet 10.9.0.5/24: it should be 10.9.0.0/24"},
        {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{}]}}", 400,
         "invalid subnet : invalid CIDR block notation"},
        {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/32\"}]}}", 500,
         "failed to allocate gateway (): No available addresses on this pool"},
        {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"172.17.4.0/24\"}]}}", 403,
         "Pool overlaps with other one on this address space"},
        {"{\"Name\":\"x\",\"EnableIPv6\":true}", 404,
         "could not find an available, non-overlapping IPv6 address pool among the defaults to "
         "assign to the network"},
        {"{\"Name\":\"x\",\"Ingress\":true}", 403,
         "Ingress network can only be global scope network"},
        {"{\"Name\":\"x\",\"Scope\":\"swarm\"}", 403,
         "cannot create a swarm scoped network when swarm is not active"},
        {"{\"Name\":\"x\",\"ConfigFrom\":{\"Network\":\"y\"}}", 404,
         "configuration network \"y\" does not exist"},
        {"{\"Name\":\"x\",\"Options\":{\"com.docker.network.bridge.enable_icc\":\"z\"}}", 500,
         "failed to parse com.docker.network.bridge.enable_icc value: z (strconv.ParseBool: "
         "parsing \"z\": invalid syntax)"},
        {"{\"Name\":\"  \"}", 400, "invalid name:   "},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++)
        docker_refused("POST", "/networks/create", cases[i].body, cases[i].status,
                       cases[i].message);
}
END_TEST

static const char *text_of(const cJSON *json, const char *a, const char *b, const char *c)
{
    const char *text = skl_json_get_str(at(json, a, b), c);

    return text ? text : "none";
}

START_TEST(both_families_are_given_and_shown)
{
    docker_expect("POST", "/networks/create",
                  "{\"Name\":\"six\",\"EnableIPv6\":true,\"IPAM\":{\"Config\":"
                  "[{\"Subnet\":\"fd00:9::/64\"}]}}",
                  201);
    docker_create("?name=c1", "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"six\"}}");
    docker_expect("POST", "/containers/c1/start", NULL, 204);
    AUTO_ANSWER i = docker_call("GET", "/containers/c1/json", NULL);
    const cJSON *networks = at(i.json, "NetworkSettings", "Networks");
    ck_assert_str_eq(text_of(networks, "six", NULL, "GlobalIPv6Address"), "fd00:9::2");
    ck_assert_str_eq(text_of(networks, "six", NULL, "IPv6Gateway"), "fd00:9::1");
    ck_assert_int_eq(skl_json_get_int(at(networks, "six", NULL), "GlobalIPv6PrefixLen", 0), 64);
    ck_assert_str_eq(text_of(networks, "six", NULL, "IPAddress"), "172.18.0.2");
    AUTO_ANSWER n = docker_call("GET", "/networks/six", NULL);
    ck_assert_str_eq(skl_json_get_str(skl_json_get(n.json, "Containers")->child, "IPv6Address"),
                     "fd00:9::2/64");
    const cJSON *config = at(n.json, "IPAM", "Config");
    ck_assert_str_eq(skl_json_get_str(cJSON_GetArrayItem(config, 0), "Subnet"), "172.18.0.0/16");
    ck_assert_str_eq(skl_json_get_str(cJSON_GetArrayItem(config, 1), "Subnet"), "fd00:9::/64");
    docker_create("?name=c2", "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"six\"},"
                              "\"NetworkingConfig\":{\"EndpointsConfig\":{\"six\":{\"IPAMConfig\":"
                              "{\"IPv6Address\":\"fd00:9:0::2\"}}}}}");
    docker_refused("POST", "/containers/c2/start", NULL, 403, "Address already in use");
}
END_TEST

/* A container of network `net` with these endpoint settings. */
static void create_at(const char *name, const char *net, const char *settings)
{
    char query[40], body[400];

    snprintf(query, sizeof(query), "?name=%s", name);
    snprintf(body, sizeof(body),
             "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"%s\"},"
             "\"NetworkingConfig\":{\"EndpointsConfig\":{\"%s\":%s}}}",
             net, net, settings);
    docker_create(query, body);
}

#define IP(address) "{\"IPAMConfig\":{\"IPv4Address\":\"" address "\"}}"

START_TEST(a_container_whose_address_cannot_be_had_does_not_start)
{
    static const struct {
        const char *net, *settings;
        int status;
        const char *message;
    } cases[] = {
        {"user", IP("10.9.0.9"), 403, "Address already in use"},
        {"user", IP("10.9.0.1"), 403, "Address already in use"},
        {"user", IP("10.9.0.255"), 403, "Address already in use"},
        {"user", IP("10.8.0.1"), 500,
         "Invalid address 10.8.0.1: It does not belong to any of this network's subnets"},
        {"picked", IP("172.18.0.9"), 400,
         "user specified IP address is supported only when connecting to networks with user "
         "configured subnets"},
        {"user", "{\"IPAMConfig\":{\"IPv6Address\":\"fd00::1\"}}", 400,
         "user specified IP address is supported only when connecting to networks with user "
         "configured subnets"},
        {"none", IP("1.2.3.4"), 400,
         "user specified IP address is supported on user defined networks only"},
        {"bridge", "{\"Aliases\":[\"x\"]}", 400,
         "network-scoped alias is supported only for containers in user defined networks"},
    };

    docker_expect("POST", "/networks/create", "{\"Name\":\"picked\"}", 201);
    docker_expect("POST", "/networks/create",
                  "{\"Name\":\"user\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/24\"}]}}", 201);
    create_at("first", "user", IP("10.9.0.9"));
    docker_expect("POST", "/containers/first/start", NULL, 204);
    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        create_at("other", cases[i].net, cases[i].settings);
        docker_refused("POST", "/containers/other/start", NULL, cases[i].status, cases[i].message);
        AUTO_ANSWER after = docker_call("GET", "/containers/other/json", NULL);
        ck_assert_str_eq(text_of(after.json, "State", NULL, "Status"), "created");
        ck_assert_str_eq(text_of(after.json, "State", NULL, "Error"), cases[i].message);
        ck_assert_int_eq(skl_json_get_int(at(after.json, "State", NULL), "ExitCode", 0), 128);
        docker_expect("DELETE", "/containers/other", NULL, 204);
    }
    docker_create("?name=gone",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"picked\"}}");
    docker_expect("DELETE", "/networks/picked", NULL, 204);
    AUTO_ANSWER gone = docker_call("POST", "/containers/gone/start", NULL);
    ck_assert_int_eq(gone.status, 404);
    docker_refused("POST", "/containers/create",
                   "{\"Image\":\"busybox\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"user\":" IP(
                       "junk") "}}}",
                   400, "invalid IPv4 address: junk");
    docker_refused(
        "POST", "/containers/create",
        "{\"Image\":\"busybox\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"user\":null}}}", 400,
        "no EndpointSettings for user");
}
END_TEST

START_TEST(connecting_is_refused_as_an_engine_refuses_it)
{
    static const char host[] =
        "container cannot be disconnected from host network or connected to host network";
    static const char none[] = "container cannot be connected to multiple networks with one of the "
                               "networks in private (none) mode";
    static const char shared[] = "container sharing network namespace with another container or "
                                 "host cannot be connected to any other network";
    static const struct {
        const char *network, *container, *settings;
        int status;
        const char *message;
    } cases[] = {
        {"user", "run", IP("10.9.0.9"), 403, "Address already in use"},
        {"user", "run", IP("10.8.0.1"), 500,
         "Invalid address 10.8.0.1: It does not belong to any of this network's subnets"},
        {"user", "run", IP("junk"), 400, "invalid IPv4 address: junk"},
        {"user", "new", IP("junk"), 400, "invalid IPv4 address: junk"},
        {"user", "run", "{\"MacAddress\":\"junk\"}", 400, "invalid MAC address: junk"},
        {"picked", "new", IP("172.18.0.7"), 400,
         "user specified IP address is supported only when connecting to networks with user "
         "configured subnets"},
        {"host", "run", "{}", 400, host},
        {"host", "new", "{}", 400, host},
        {"none", "run", "{}", 400, none},
        {"none", "new", "{}", 400, none},
        {"none", "run", IP("1.2.3.4"), 400,
         "user specified IP address is supported on user defined networks only"},
        {"host", "new", "{\"Aliases\":[\"x\"]}", 400,
         "network-scoped alias is supported only for containers in user defined networks"},
        {"user", "inhost", "{}", 400, shared},
        {"none", "inhost", "{}", 400, shared},
        {"user", "innone", "{}", 400, none},
        {"host", "innone", "{}", 400, host},
    };

    docker_expect("POST", "/networks/create", "{\"Name\":\"picked\"}", 201);
    docker_expect("POST", "/networks/create",
                  "{\"Name\":\"user\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/24\"}]}}", 201);
    create_at("first", "user", IP("10.9.0.9"));
    docker_expect("POST", "/containers/first/start", NULL, 204);
    docker_create("?name=run",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"picked\"}}");
    docker_expect("POST", "/containers/run/start", NULL, 204);
    docker_create("?name=new",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"picked\"}}");
    docker_create("?name=inhost",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"host\"}}");
    docker_create("?name=innone",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"none\"}}");
    for (size_t i = 0; i < SKL_ARRAY_LEN(cases); i++) {
        char target[60], body[200];

        snprintf(target, sizeof(target), "/networks/%s/connect", cases[i].network);
        snprintf(body, sizeof(body), "{\"Container\":\"%s\",\"EndpointConfig\":%s}",
                 cases[i].container, cases[i].settings);
        docker_refused("POST", target, body, cases[i].status, cases[i].message);
    }
    docker_expect("POST", "/networks/user/connect",
                  "{\"Container\":\"run\",\"EndpointConfig\":" IP("10.9.0.50") "}", 200);
    AUTO_ANSWER i = docker_call("GET", "/containers/run/json", NULL);
    ck_assert_str_eq(text_of(at(i.json, "NetworkSettings", "Networks"), "user", NULL, "IPAddress"),
                     "10.9.0.50");
    docker_refused("POST", "/networks/user/disconnect", "{\"Container\":\"nobody\",\"Force\":true}",
                   404, "endpoint nobody not found");
    docker_refused("POST", "/networks/user/disconnect", "{\"Container\":\"\",\"Force\":true}", 500,
                   "invalid name: ");
    docker_refused("POST", "/networks/user/disconnect", "{\"Container\":\"nobody\"}", 404,
                   "No such container: nobody");
}
END_TEST

START_TEST(inspect_looks_at_scope_and_verbose)
{
    docker_expect("GET", "/networks/none?scope=local", NULL, 200);
    docker_refused("GET", "/networks/none?scope=swarm", NULL, 404, "network none not found");
    docker_expect("GET", "/networks/none?verbose=True", NULL, 200);
    docker_refused("GET", "/networks/none?verbose=no", NULL, 400,
                   "invalid value for verbose: no: strconv.ParseBool: parsing \"no\": invalid "
                   "syntax");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("all");

    tcase_add_test(t, bad_settings_are_refused_with_all_their_faults);
    tcase_add_test(t, both_families_are_given_and_shown);
    tcase_add_test(t, a_container_whose_address_cannot_be_had_does_not_start);
    tcase_add_test(t, connecting_is_refused_as_an_engine_refuses_it);
    tcase_add_test(t, inspect_looks_at_scope_and_verbose);
    return docker_run("docker_networks", t);
}
