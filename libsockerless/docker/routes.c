#include "docker/routes.h"

/* clang-format off */
const struct skl_route skl_routes[] = {
    {"GET",    "/_ping",                        SKL_BODY_NONE, 0, skl_route_ping},
    {"HEAD",   "/_ping",                        SKL_BODY_NONE, 0, skl_route_ping},
    {"GET",    "/version",                      SKL_BODY_NONE, 0, skl_route_version},
    {"GET",    "/info",                         SKL_BODY_NONE, 0, skl_route_info},
    {"GET",    "/events",                       SKL_BODY_NONE, 0, skl_route_events},
    {"POST",   "/auth",                         SKL_BODY_JSON, 0, skl_route_auth},
    {"GET",    "/system/df",                    SKL_BODY_NONE, 125, skl_route_system_df},

    {"GET",    "/containers/json",              SKL_BODY_NONE, 0, skl_route_container_list},
    {"POST",   "/containers/create",            SKL_BODY_REQUIRED, 0, skl_route_container_create},
    {"POST",   "/containers/prune",             SKL_BODY_NONE, 125, skl_route_container_prune},
    {"GET",    "/containers/{id}/json",         SKL_BODY_NONE, 0, skl_route_container_inspect},
    {"POST",   "/containers/{id}/start",        SKL_BODY_NONE, 0, skl_route_container_start},
    {"POST",   "/containers/{id}/stop",         SKL_BODY_NONE, 0, skl_route_container_stop},
    {"POST",   "/containers/{id}/restart",      SKL_BODY_NONE, 0, skl_route_container_restart},
    {"POST",   "/containers/{id}/kill",         SKL_BODY_NONE, 0, skl_route_container_kill},
    {"POST",   "/containers/{id}/pause",        SKL_BODY_NONE, 0, skl_route_container_pause},
    {"POST",   "/containers/{id}/unpause",      SKL_BODY_NONE, 0, skl_route_container_unpause},
    {"POST",   "/containers/{id}/rename",       SKL_BODY_NONE, 0, skl_route_container_rename},
    {"POST",   "/containers/{id}/wait",         SKL_BODY_NONE, 0, skl_route_container_wait},
    {"POST",   "/containers/{id}/attach",       SKL_BODY_NONE, 0, skl_route_container_attach},
    {"GET",    "/containers/{id}/logs",         SKL_BODY_NONE, 0, skl_route_container_logs},
    {"POST",   "/containers/{id}/resize",       SKL_BODY_NONE, 0, skl_route_container_resize},
    {"HEAD",   "/containers/{id}/archive",      SKL_BODY_NONE, 0, skl_route_archive_head},
    {"GET",    "/containers/{id}/archive",      SKL_BODY_NONE, 0, skl_route_archive_get},
    {"PUT",    "/containers/{id}/archive",      SKL_BODY_STREAM, 0, skl_route_archive_put},
    {"POST",   "/containers/{id}/exec",         SKL_BODY_JSON, 0, skl_route_exec_create},
    {"POST",   "/exec/{id}/start",              SKL_BODY_JSON, 0, skl_route_exec_start},
    {"GET",    "/exec/{id}/json",               SKL_BODY_NONE, 0, skl_route_exec_inspect},
    {"POST",   "/exec/{id}/resize",             SKL_BODY_NONE, 0, skl_route_exec_resize},
    {"POST",   "/containers/{id}/update",       SKL_BODY_REQUIRED, 0, skl_route_container_update},
    {"GET",    "/containers/{id}/attach/ws",    SKL_BODY_NONE, 0, skl_route_container_attach_ws},
    {"GET",    "/containers/{id}/top",          SKL_BODY_NONE, 0, skl_route_container_top},
    {"GET",    "/containers/{id}/stats",        SKL_BODY_NONE, 0, skl_route_container_stats},
    {"GET",    "/containers/{id}/changes",      SKL_BODY_NONE, 0, skl_route_container_changes},
    {"GET",    "/containers/{id}/export",       SKL_BODY_NONE, 0, skl_route_container_export},
    {"GET",    "/containers/{id}/checkpoints",  SKL_BODY_NONE, 0, skl_route_checkpoints},
    {"POST",   "/containers/{id}/checkpoints",  SKL_BODY_NONE, 0, skl_route_checkpoints},
    {"DELETE", "/containers/{id}",              SKL_BODY_NONE, 0, skl_route_container_remove},
    {"POST",   "/commit",                       SKL_BODY_JSON, 0, skl_route_commit},

    {"GET",    "/images/json",                  SKL_BODY_NONE, 0, skl_route_image_list},
    {"GET",    "/images/search",                SKL_BODY_NONE, 0, skl_route_image_search},
    {"GET",    "/images/get",                   SKL_BODY_NONE, 0, skl_route_images_get},
    {"POST",   "/images/create",                SKL_BODY_STREAM, 0, skl_route_image_create},
    {"POST",   "/images/load",                  SKL_BODY_STREAM, 0, skl_route_image_load},
    {"POST",   "/images/prune",                 SKL_BODY_NONE, 125, skl_route_image_prune},
    {"GET",    "/images/{name}/json",           SKL_BODY_NONE, 0, skl_route_image_inspect},
    {"GET",    "/images/{name}/history",        SKL_BODY_NONE, 0, skl_route_image_history},
    {"GET",    "/images/{name}/get",            SKL_BODY_NONE, 0, skl_route_image_get},
    {"POST",   "/images/{name}/tag",            SKL_BODY_NONE, 0, skl_route_image_tag},
    {"POST",   "/images/{name}/push",           SKL_BODY_NONE, 0, skl_route_image_push},
    {"DELETE", "/images/{name}",                SKL_BODY_NONE, 0, skl_route_image_remove},
    {"GET",    "/distribution/{name}/json",     SKL_BODY_NONE, 0, skl_route_distribution},
    {"POST",   "/build",                        SKL_BODY_STREAM, 0, skl_route_build},
    {"POST",   "/build/prune",                  SKL_BODY_NONE, 131, skl_route_build_prune},
    {"POST",   "/build/cancel",                 SKL_BODY_NONE, 139, skl_route_build_cancel},

    {"GET",    "/networks",                     SKL_BODY_NONE, 0, skl_route_network_list},
    {"GET",    "/networks/",                    SKL_BODY_NONE, 0, skl_route_network_list},
    {"POST",   "/networks/create",              SKL_BODY_REQUIRED, 0, skl_route_network_create},
    {"POST",   "/networks/prune",               SKL_BODY_NONE, 125, skl_route_network_prune},
    {"POST",   "/networks/{id}/connect",        SKL_BODY_REQUIRED, 0, skl_route_network_connect},
    {"POST",   "/networks/{id}/disconnect",     SKL_BODY_REQUIRED, 0, skl_route_network_disconnect},
    {"GET",    "/networks/{id}",                SKL_BODY_NONE, 0, skl_route_network_inspect},
    {"DELETE", "/networks/{id}",                SKL_BODY_NONE, 0, skl_route_network_remove},

    {"GET",    "/volumes",                      SKL_BODY_NONE, 0, skl_route_volume_list},
    {"POST",   "/volumes/create",               SKL_BODY_JSON, 0, skl_route_volume_create},
    {"POST",   "/volumes/prune",                SKL_BODY_NONE, 125, skl_route_volume_prune},
    {"GET",    "/volumes/{name}",               SKL_BODY_NONE, 0, skl_route_volume_inspect},
    {"PUT",    "/volumes/{name}",               SKL_BODY_NONE, 0, skl_route_volume_update},
    {"DELETE", "/volumes/{name}",               SKL_BODY_NONE, 0, skl_route_volume_remove},

    {"GET",    "/plugins",                      SKL_BODY_NONE, 0, skl_route_plugins},
    {"GET",    "/plugins/{name}/json",          SKL_BODY_NONE, 0, skl_route_plugin},
    {"GET",    "/plugins/privileges",           SKL_BODY_NONE, 0, skl_route_unsupported},
    {"POST",   "/plugins/{name}",               SKL_BODY_STREAM, 0, skl_route_unsupported},
    {"DELETE", "/plugins/{name}",               SKL_BODY_NONE, 0, skl_route_plugin},

#define SWARM(path)                                                                                \
    {"GET",    path,                            SKL_BODY_NONE, 0, skl_route_no_swarm},             \
    {"GET",    path "/{id}",                    SKL_BODY_NONE, 0, skl_route_no_swarm},             \
    {"POST",   path "/{id}",                    SKL_BODY_NONE, 0, skl_route_no_swarm},             \
    {"DELETE", path "/{id}",                    SKL_BODY_NONE, 0, skl_route_no_swarm}
    SWARM("/swarm"),
    SWARM("/services"),
    SWARM("/nodes"),
    SWARM("/tasks"),
    SWARM("/secrets"),
    SWARM("/configs"),
#undef SWARM
};
/* clang-format on */
const size_t skl_routes_count = SKL_ARRAY_LEN(skl_routes);
