/* What is no JSON, or not of the type, in an Engine's words; every expected text was said by one. */
#include <check.h>
#include <stdlib.h>

#include "base/json_read.h"
#include "docker/api/go_json.h"
#include "docker/api/routes.h"

#define WHAT "invalid JSON: "

START_TEST(what_is_no_json_is_told_where_it_goes_wrong)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"{", "unexpected EOF"},
        {"{\"a\"", "unexpected EOF"},
        {"{\"a\":", "unexpected EOF"},
        {"{\"a\":1", "unexpected EOF"},
        {"{\"a\":1,", "unexpected EOF"},
        {"{\"a\":nul", "unexpected EOF"},
        {"[", "unexpected EOF"},
        {"{\"a\":\"\\\"", "unexpected EOF"},
        {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
        {"{,}", "invalid character ',' looking for beginning of object key string"},
        {"{a:1}", "invalid character 'a' looking for beginning of object key string"},
        {"{'a':1}", "invalid character '\\'' looking for beginning of object key string"},
        {"{\"a\" 1}", "invalid character '1' after object key"},
        {"{\"a\":01}", "invalid character '1' after object key:value pair"},
        {"{\"a\":1.5.5}", "invalid character '.' after object key:value pair"},
        {"{\"a\":tru}", "invalid character '}' in literal true (expecting 'e')"},
        {"{\"a\":trux}", "invalid character 'x' in literal true (expecting 'e')"},
        {"nope", "invalid character 'o' in literal null (expecting 'u')"},
        {"{\"a\":-}", "invalid character '}' in numeric literal"},
        {"{\"a\":1.}", "invalid character '}' after decimal point in numeric literal"},
        {"{\"a\":1e}", "invalid character '}' in exponent of numeric literal"},
        {"{\"a\":\"\x01\"}", "invalid character '\\x01' in string literal"},
        {"{\"a\":\"b\n\"}", "invalid character '\\n' in string literal"},
        {"{\"a\":\"\\x\"}", "invalid character 'x' in string escape code"},
        {"{\"a\":\"\\u12\"}", "invalid character '\"' in \\u hexadecimal character escape"},
        {"{\"a\":\"\\u12x4\"}", "invalid character 'x' in \\u hexadecimal character escape"},
        {"{\"a\":[1 2]}", "invalid character '2' after array element"},
        {"{\"a\":[1,]}", "invalid character ']' looking for beginning of value"},
        {"x", "invalid character 'x' looking for beginning of value"},
        {"\xe9", "invalid character '\xc3\xa9' looking for beginning of value"},
        {"{\"a\":'b'}", "invalid character '\\'' looking for beginning of value"},
        {"{\"a\":+1}", "invalid character '+' looking for beginning of value"},
        {"{\"a\":.5}", "invalid character '.' looking for beginning of value"},
        {"{\"a\":NaN}", "invalid character 'N' looking for beginning of value"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        struct skl_error err = {0};
        size_t n;

        ck_assert_int_eq(skl_go_json_scan(skl_str(rows[i].text), &n, &err), -SKL_E_INVALID);
        ck_assert_msg(skl_streq(err.msg + strlen(WHAT), rows[i].message), "%s: %s", rows[i].text,
                      err.msg);
    }
}
END_TEST

START_TEST(the_first_value_is_scanned_and_no_more)
{
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {{"{} x", 2},
                {" [1,2.5e-3,\"\\u00e9\\n\",null,true,false,-0] ]", 41},
                {"5}", 1},
                {"{\"a\":{\"b\":[]}}{", 14},
                {"\"\xff\"", 3}};

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        struct skl_error err = {0};
        size_t n = 0;

        ck_assert_msg(skl_go_json_scan(skl_str(rows[i].text), &n, &err) == 0, "%s", err.msg);
        ck_assert_uint_eq(n, rows[i].n);
    }
}
END_TEST

START_TEST(nesting_ends_somewhere)
{
    char deep[500];
    struct skl_error err;
    size_t n;

    memset(deep, '[', sizeof(deep));
    ck_assert_int_eq(skl_go_json_scan(skl_str_n(deep, sizeof(deep)), &n, &err), -SKL_E_INVALID);
}
END_TEST

#define CREATE     "runconfig.ContainerConfigWrapper"
#define HOST(json) "{\"HostConfig\":" json "}"

static const struct {
    const char *type, *text;
    const char *message; /* what stands behind "cannot unmarshal "; NULL: it fits */
} typed[] = {
    {CREATE, "5", "number into Go value of type runconfig.ContainerConfigWrapper"},
    {CREATE, "[]", "array into Go value of type runconfig.ContainerConfigWrapper"},
    {CREATE, "true", "bool into Go value of type runconfig.ContainerConfigWrapper"},
    {CREATE, "null", NULL},
    {CREATE, "{\"Hostname\":5}",
     "number into Go struct field ContainerConfigWrapper.Hostname of type string"},
    {CREATE, "{\"image\":5}",
     "number into Go struct field ContainerConfigWrapper.Image of type string"},
    {CREATE, "{\"Im\\u0061ge\":5}",
     "number into Go struct field ContainerConfigWrapper.Image of type string"},
    {CREATE, "{\"Tty\":\"x\"}",
     "string into Go struct field ContainerConfigWrapper.Tty of type bool"},
    {CREATE, "{\"Env\":5,\"Tty\":5}",
     "number into Go struct field ContainerConfigWrapper.Env of type []string"},
    {CREATE, "{\"Env\":[null,\"a\"],\"Labels\":{\"a\":null},\"Cmd\":[null]}", NULL},
    {CREATE, "{\"Env\":[5]}",
     "number into Go struct field ContainerConfigWrapper.Env of type string"},
    {CREATE, "{\"Cmd\":\"x\",\"Entrypoint\":[\"a\"]}", NULL},
    {CREATE, "{\"Cmd\":5}",
     "number into Go struct field ContainerConfigWrapper.Cmd of type string"},
    {CREATE, "{\"Cmd\":[5]}",
     "array into Go struct field ContainerConfigWrapper.Cmd of type string"},
    {CREATE, "{\"ExposedPorts\":[]}",
     "array into Go struct field ContainerConfigWrapper.ExposedPorts of type nat.PortSet"},
    {CREATE, "{\"ExposedPorts\":{\"80\":1}}",
     "number into Go struct field ContainerConfigWrapper.ExposedPorts of type struct {}"},
    {CREATE, "{\"Volumes\":5}",
     "number into Go struct field ContainerConfigWrapper.Volumes of type map[string]struct {}"},
    {CREATE, "{\"StopTimeout\":1.5}",
     "number 1.5 into Go struct field ContainerConfigWrapper.StopTimeout of type int"},
    {CREATE, "{\"Healthcheck\":[]}",
     "array into Go struct field ContainerConfigWrapper.Healthcheck of type "
     "container.HealthConfig"},
    {CREATE, "{\"Healthcheck\":{\"Interval\":\"x\"}}",
     "string into Go struct field HealthConfig.Healthcheck.Interval of type time.Duration"},
    {CREATE, HOST("[]"),
     "array into Go struct field ContainerConfigWrapper.HostConfig of type container.HostConfig"},
    {CREATE, HOST("{\"Memory\":99999999999999999999}"),
     "number 99999999999999999999 into Go struct field HostConfig.HostConfig.Memory of type int64"},
    {CREATE, HOST("{\"Memory\":1e3}"),
     "number 1e3 into Go struct field HostConfig.HostConfig.Memory of type int64"},
    {CREATE, HOST("{\"Memory\":-9223372036854775808}"), NULL},
    {CREATE, HOST("{\"BlkioWeight\":-1}"),
     "number -1 into Go struct field HostConfig.HostConfig.BlkioWeight of type uint16"},
    {CREATE, HOST("{\"BlkioWeight\":65536}"),
     "number 65536 into Go struct field HostConfig.HostConfig.BlkioWeight of type uint16"},
    {CREATE, HOST("{\"NetworkMode\":5}"),
     "number into Go struct field HostConfig.HostConfig.NetworkMode of type container.NetworkMode"},
    {CREATE, HOST("{\"PortBindings\":{\"80/tcp\":{}}}"),
     "object into Go struct field HostConfig.HostConfig.PortBindings of type []nat.PortBinding"},
    {CREATE, HOST("{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":80}]}}"),
     "number into Go struct field PortBinding.HostConfig.PortBindings.HostPort of type string"},
    {CREATE, HOST("{\"Ulimits\":5}"),
     "number into Go struct field HostConfig.HostConfig.Ulimits of type []*units.Ulimit"},
    {CREATE, HOST("{\"Ulimits\":[5]}"),
     "number into Go struct field HostConfig.HostConfig.Ulimits of type units.Ulimit"},
    {CREATE, HOST("{\"ConsoleSize\":[1,2,\"x\"]}"), NULL},
    {CREATE, HOST("{\"ConsoleSize\":[-1]}"),
     "number -1 into Go struct field HostConfig.HostConfig.ConsoleSize of type uint"},
    {CREATE, HOST("{\"ConsoleSize\":5}"),
     "number into Go struct field HostConfig.HostConfig.ConsoleSize of type [2]uint"},
    {CREATE, HOST("{\"Mounts\":[{},{\"TmpfsOptions\":{\"Mode\":\"x\"}}]}"),
     "string into Go struct field TmpfsOptions.HostConfig.Mounts.TmpfsOptions.Mode of type "
     "fs.FileMode"},
    {CREATE, HOST("{\"Mounts\":[{\"VolumeOptions\":{\"DriverConfig\":{\"Options\":{\"a\":5}}}}]}"),
     "number into Go struct field Driver.HostConfig.Mounts.VolumeOptions.DriverConfig.Options of "
     "type string"},
    {CREATE, HOST("{\"DeviceRequests\":[{\"Capabilities\":[\"x\"]}]}"),
     "string into Go struct field DeviceRequest.HostConfig.DeviceRequests.Capabilities of type "
     "[]string"},
    {CREATE, HOST("{\"nobody\":{\"knows\":[1,{\"this\":\"]}\"}]},\"Init\":1}"),
     "number into Go struct field HostConfig.HostConfig.Init of type bool"},
    {CREATE, "{\"NetworkingConfig\":{\"EndpointsConfig\":5}}",
     "number into Go struct field NetworkingConfig.NetworkingConfig.EndpointsConfig of type "
     "map[string]*network.EndpointSettings"},
    {CREATE, "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{\"Aliases\":5}}}}",
     "number into Go struct field EndpointSettings.NetworkingConfig.EndpointsConfig.Aliases of "
     "type []string"},
    {"types.NetworkConnect", "{\"Container\":5}",
     "number into Go struct field NetworkConnect.Container of type string"},
    {"types.NetworkConnect", "{\"EndpointConfig\":{\"IPAMConfig\":{\"IPv4Address\":5}}}",
     "number into Go struct field EndpointIPAMConfig.EndpointConfig.IPAMConfig.IPv4Address of "
     "type string"},
    {"container.UpdateConfig", "{\"RestartPolicy\":{\"Name\":5}}",
     "number into Go struct field RestartPolicy.RestartPolicy.Name of type string"},
    {"types.ExecConfig", "{\"Cmd\":\"x\"}",
     "string into Go struct field ExecConfig.Cmd of type []string"},
    {"volume.VolumeCreateBody", "{\"Labels\":{\"b\":\"c\",\"a\":1}}",
     "number into Go struct field VolumeCreateBody.Labels of type string"},
};

START_TEST(a_value_of_another_type_is_told_with_its_place)
{
    static const char prefix[] = WHAT "json: cannot unmarshal ";

    for (size_t i = 0; i < SKL_ARRAY_LEN(typed); i++) {
        struct skl_error err = {0};
        int rc = skl_go_json_fits(skl_str(typed[i].text), typed[i].type, &err);

        ck_assert_msg((rc == 0) == !typed[i].message, "%s: %s", typed[i].text, err.msg);
        if (typed[i].message) {
            ck_assert_msg(skl_str_starts(skl_str(err.msg), prefix), "%s", err.msg);
            ck_assert_str_eq(err.msg + strlen(prefix), typed[i].message);
        }
    }
}
END_TEST

/* A route without a type would read a body that nobody has looked at. */
START_TEST(every_route_that_reads_json_says_of_which_type)
{
    for (size_t i = 0; i < skl_routes_count; i++) {
        const struct skl_route *r = &skl_routes[i];
        bool json = r->body == SKL_BODY_JSON || r->body == SKL_BODY_REQUIRED;

        ck_assert_msg(json == (r->type != NULL), "%s %s", r->method, r->pattern);
        ck_assert_msg(!json || skl_go_struct_fields(r->type, strlen(r->type)), "%s", r->pattern);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("go_json");
    TCase *t = tcase_create("go_json");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_test(t, what_is_no_json_is_told_where_it_goes_wrong);
    tcase_add_test(t, the_first_value_is_scanned_and_no_more);
    tcase_add_test(t, nesting_ends_somewhere);
    tcase_add_test(t, a_value_of_another_type_is_told_with_its_place);
    tcase_add_test(t, every_route_that_reads_json_says_of_which_type);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
