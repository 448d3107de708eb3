#include "cloud/azure/tags.h"

#include "base/json_read.h"

#define TAG_MANAGER  "managed-by"
#define TAG_INSTANCE "sockerless-instance"
#define MANAGER      "sockerless"

void skl_azure_tags_add(struct skl_json *j, const char *container_id, const char *instance)
{
    skl_json_object(j, "tags");
    skl_json_str(j, SKL_AZURE_TAG_CONTAINER, container_id);
    skl_json_str(j, TAG_MANAGER, MANAGER);
    skl_json_str(j, TAG_INSTANCE, instance);
    skl_json_end_object(j);
}

bool skl_azure_is_tagged(const cJSON *resource, const char *instance)
{
    const cJSON *tags = skl_json_get(resource, "tags");

    return skl_streq(skl_json_get_str(tags, TAG_MANAGER), MANAGER) && !skl_str_empty(instance) &&
           skl_streq(skl_json_get_str(tags, TAG_INSTANCE), instance);
}

struct tagged {
    const char *instance;
    skl_azure_tagged_cb *cb;
    void *arg;
};

static bool take_tagged(void *arg, const cJSON *item)
{
    const struct tagged *t = arg;
    const char *name = skl_json_get_str(item, "name");
    const char *id = skl_json_get_str(skl_json_get(item, "tags"), SKL_AZURE_TAG_CONTAINER);

    if (!skl_str_empty(name) && skl_azure_is_tagged(item, t->instance))
        t->cb(t->arg, name, id ? id : "");
    return true;
}

int skl_azure_list_tagged(struct skl_arm *a, const struct skl_arm_call *list, const char *instance,
                          skl_azure_tagged_cb *cb, void *arg, struct skl_error *err)
{
    struct tagged t = {instance, cb, arg};

    return skl_arm_list(a, list, take_tagged, &t, err);
}
