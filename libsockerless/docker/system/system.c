/* version, info, and the parts of an Engine that a serverless one does not have. */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"

/* The Engine release whose behaviour is followed: clients compare it (Testcontainers wants at least 1.6.0). Our own
 * version is the component "Sockerless". */
#define ENGINE_VERSION "25.0.3"

static const char *kernel_version(void)
{
    static struct utsname u;

    if (!u.release[0] && uname(&u) < 0)
        return "";
    return u.release;
}

static void render_components(struct skl_json *j)
{
    skl_json_array(j, "Components");
    skl_json_object(j, NULL);
    skl_json_str(j, "Name", "Engine");
    skl_json_str(j, "Version", ENGINE_VERSION);
    skl_json_object(j, "Details");
    skl_json_str(j, "ApiVersion", SKL_API_VERSION);
    skl_json_str(j, "Arch", skl_render_go_arch());
    skl_json_str(j, "BuildTime", "");
    skl_json_str(j, "Experimental", "false");
    skl_json_str(j, "GitCommit", "");
    skl_json_str(j, "GoVersion", "");
    skl_json_str(j, "KernelVersion", kernel_version());
    skl_json_str(j, "MinAPIVersion", "1.24");
    skl_json_str(j, "Os", "linux");
    skl_json_end_object(j);
    skl_json_end_object(j);
    skl_json_object(j, NULL);
    skl_json_str(j, "Name", "Sockerless");
    skl_json_str(j, "Version", SKL_VERSION);
    skl_json_object(j, "Details");
    skl_json_end_object(j);
    skl_json_end_object(j);
    skl_json_end_array(j);
}

void skl_route_version(struct skl_request *r)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, 64 * SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_object(&j, "Platform");
    skl_json_strf(&j, "Name", "Sockerless on %s", r->engine->backend->title);
    skl_json_end_object(&j);
    render_components(&j);
    skl_json_str(&j, "Version", ENGINE_VERSION);
    skl_json_str(&j, "ApiVersion", SKL_API_VERSION);
    skl_json_str(&j, "MinAPIVersion", "1.24");
    skl_json_str(&j, "GitCommit", "");
    skl_json_str(&j, "GoVersion", "");
    skl_json_str(&j, "Os", "linux");
    skl_json_str(&j, "Arch", skl_render_go_arch());
    skl_json_str(&j, "KernelVersion", kernel_version());
    skl_json_str(&j, "BuildTime", "");
    skl_json_end_object(&j);
    skl_request_json(r, 200, &b);
}

/* -- info */

static void render_counts(struct skl_json *j, struct skl_store *s)
{
    size_t running = skl_container_count(s, SKL_CONTAINER_RUNNING) +
                     skl_container_count(s, SKL_CONTAINER_RESTARTING);
    size_t paused = skl_container_count(s, SKL_CONTAINER_PAUSED), all = 0;

    for (int state = 0; state < SKL_CONTAINER_MAX_; state++)
        all += skl_container_count(s, (enum skl_container_state)state);
    skl_json_int(j, "Containers", (int64_t)all);
    skl_json_int(j, "ContainersRunning", (int64_t)running);
    skl_json_int(j, "ContainersPaused", (int64_t)paused);
    skl_json_int(j, "ContainersStopped", (int64_t)(all - running - paused));
    skl_json_int(j, "Images", (int64_t)skl_image_count(s));
}

static void render_status_rows(struct skl_json *j, const struct skl_labels *rows)
{
    skl_json_array(j, "DriverStatus");
    for (char **p = rows->pairs; p && p[0]; p += 2) {
        skl_json_array(j, NULL);
        skl_json_str(j, NULL, p[0]);
        skl_json_str(j, NULL, p[1]);
        skl_json_end_array(j);
    }
    skl_json_end_array(j);
}

/* `docker info` warns about every capability that is false; none of them is this daemon's business. */
static void render_capabilities(struct skl_json *j)
{
    static const char *const flags[] = {
        "MemoryLimit", "SwapLimit", "CpuCfsPeriod",   "CpuCfsQuota",      "CPUShares",
        "CPUSet",      "PidsLimit", "IPv4Forwarding", "BridgeNfIptables", "BridgeNfIp6tables"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(flags); i++)
        skl_json_bool(j, flags[i], true);
}

static void render_registry(struct skl_json *j, const struct skl_engine_settings *settings)
{
    skl_json_str(j, "IndexServerAddress", "https://index.docker.io/v1/");
    skl_json_object(j, "RegistryConfig");
    skl_json_null(j, "AllowNondistributableArtifactsCIDRs");
    skl_json_null(j, "AllowNondistributableArtifactsHostnames");
    skl_json_array(j, "InsecureRegistryCIDRs");
    skl_json_str(j, NULL, "127.0.0.0/8");
    skl_json_end_array(j);
    skl_json_object(j, "IndexConfigs");
    skl_json_object(j, "docker.io");
    skl_json_str(j, "Name", "docker.io");
    skl_json_array(j, "Mirrors");
    if (!skl_str_empty(settings->registry_mirror))
        skl_json_str(j, NULL, settings->registry_mirror);
    skl_json_end_array(j);
    skl_json_bool(j, "Secure", true);
    skl_json_bool(j, "Official", true);
    skl_json_end_object(j);
    for (char *const *p = settings->insecure_registries; p && *p; p++) {
        skl_json_object(j, *p);
        skl_json_str(j, "Name", *p);
        skl_json_raw(j, "Mirrors", "[]");
        skl_json_bool(j, "Secure", false);
        skl_json_bool(j, "Official", false);
        skl_json_end_object(j);
    }
    skl_json_end_object(j);
    skl_json_raw(j, "Mirrors", "[]");
    skl_json_end_object(j);
}

static void render_system(struct skl_json *j, struct skl_engine *e,
                          const struct skl_backend_info *info)
{
    skl_json_bool(j, "Debug", false);
    skl_json_int(j, "NFd", 0);
    skl_json_bool(j, "OomKillDisable", false);
    skl_json_int(j, "NGoroutines", 0);
    skl_json_time(j, "SystemTime", skl_wall_ns());
    skl_json_str(j, "LoggingDriver", "json-file");
    skl_json_str(j, "CgroupDriver", "none");
    skl_json_str(j, "CgroupVersion", "2");
    skl_json_int(j, "NEventsListener", skl_journal_listeners(skl_store_journal(e->store)));
    skl_json_str(j, "KernelVersion", kernel_version());
    skl_json_str(j, "OperatingSystem", info->operating_system);
    skl_json_str(j, "OSVersion", "");
    skl_json_str(j, "OSType", "linux");
    skl_json_str(j, "Architecture", skl_render_kernel_arch());
    render_registry(j, &e->settings);
    skl_json_int(j, "NCPU", info->n_cpus);
    skl_json_int(j, "MemTotal", info->memory_bytes);
    skl_json_null(j, "GenericResources");
    skl_json_str(j, "DockerRootDir", "/var/lib/docker");
    skl_json_str(j, "HttpProxy", "");
    skl_json_str(j, "HttpsProxy", "");
    skl_json_str(j, "NoProxy", "");
    skl_json_str(j, "Name", e->settings.name ? e->settings.name : "");
    skl_json_raw(j, "Labels", "[]");
    skl_json_bool(j, "ExperimentalBuild", false);
    skl_json_str(j, "ServerVersion", ENGINE_VERSION);
}

static void render_runtimes(struct skl_json *j)
{
    static const char *const commits[] = {"ContainerdCommit", "RuncCommit", "InitCommit"};

    skl_json_raw(j, "Runtimes", "{\"runc\":{\"path\":\"runc\"}}");
    skl_json_str(j, "DefaultRuntime", "runc");
    skl_json_raw(j, "Swarm",
                 "{\"NodeID\":\"\",\"NodeAddr\":\"\",\"LocalNodeState\":\"inactive\","
                 "\"ControlAvailable\":false,\"Error\":\"\",\"RemoteManagers\":null}");
    skl_json_bool(j, "LiveRestoreEnabled", true);
    skl_json_str(j, "Isolation", "");
    skl_json_str(j, "InitBinary", "sockerless-agent");
    for (size_t i = 0; i < SKL_ARRAY_LEN(commits); i++)
        skl_json_raw(j, commits[i], "{\"ID\":\"\",\"Expected\":\"\"}");
    skl_json_raw(j, "SecurityOptions", "[\"name=seccomp,profile=builtin\"]");
    skl_json_raw(j, "CDISpecDirs", "[]");
    skl_json_null(j, "Warnings");
}

void skl_route_info(struct skl_request *r)
{
    struct skl_engine *e = r->engine;
    struct skl_backend_info info = {0};
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MIB);
    e->backend->info(e->backend_ctx, &info);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "ID", skl_store_instance(e->store));
    render_counts(&j, e->store);
    skl_json_str(&j, "Driver", info.driver);
    render_status_rows(&j, &info.status);
    skl_json_raw(&j, "Plugins",
                 "{\"Volume\":[\"local\"],\"Network\":[\"bridge\",\"host\",\"null\"],"
                 "\"Authorization\":null,\"Log\":[\"json-file\",\"local\",\"none\"]}");
    render_capabilities(&j);
    render_system(&j, e, &info);
    render_runtimes(&j);
    skl_json_end_object(&j);
    skl_labels_fini(&info.status);
    skl_request_json(r, 200, &b);
}

/* -- what is not there */

void skl_route_plugins(struct skl_request *r)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64);
    skl_buf_adds(&b, "[]");
    skl_request_json(r, 200, &b);
}

void skl_route_plugin(struct skl_request *r)
{
    skl_request_fail(r, SKL_E_NOTFOUND, "plugin \"%s\" not found", r->param);
}
