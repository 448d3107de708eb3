/* Copies for worker threads: nothing in them is shared with the store. */
#include <stdio.h>

#include "base/alloc.h"
#include "docker/backend.h"

static void mounts_copy(struct skl_container_spec *to, const struct skl_container_spec *from)
{
    to->mounts = from->n_mounts ? skl_new0_n(struct skl_mount, from->n_mounts) : NULL;
    to->n_mounts = from->n_mounts;
    for (size_t i = 0; to->mounts && i < from->n_mounts; i++) {
        const struct skl_mount *m = &from->mounts[i];

        to->mounts[i] = (struct skl_mount){
            .type = skl_strdup(m->type),
            .name = skl_strdup(m->name),
            .source = skl_strdup(m->source),
            .destination = skl_strdup(m->destination),
            .mode = skl_strdup(m->mode),
            .propagation = skl_strdup(m->propagation),
            .rw = m->rw,
            .anonymous = m->anonymous,
            .request_json = skl_strdup(m->request_json),
        };
    }
}

struct skl_container_snapshot *skl_snapshot_new(const struct skl_container *c, const char *instance)
{
    struct skl_container_snapshot *s = skl_new0(struct skl_container_snapshot);
    const struct skl_container_spec *from = &c->spec;

    snprintf(s->id, sizeof(s->id), "%s", c->id);
    snprintf(s->short_id, sizeof(s->short_id), "%.12s", c->id);
    snprintf(s->instance, sizeof(s->instance), "%s", instance);
    s->name = skl_strdup(c->name);
    s->created_ns = c->created_ns;
    s->run = c->run;
    s->token = skl_strdup(c->token);
    s->was_running = skl_container_is_running(c);
    skl_labels_copy(&s->cloud, &c->cloud);
    s->spec = *from; /* numbers and flags; every pointer is replaced below */
    s->spec.image = skl_strdup(from->image);
    s->spec.image_id = skl_strdup(from->image_id);
    s->spec.image_ref = skl_strdup(from->image_ref);
    s->spec.argv = skl_strv_dup(from->argv);
    s->spec.env = skl_strv_dup(from->env);
    s->spec.cwd = skl_strdup(from->cwd);
    s->spec.user = skl_strdup(from->user);
    s->spec.hostname = skl_strdup(from->hostname);
    s->spec.stop_signal = skl_strdup(from->stop_signal);
    s->spec.extra_hosts = skl_strv_dup(from->extra_hosts);
    s->spec.group_add = skl_strv_dup(from->group_add);
    s->spec.ulimits = skl_strv_dup(from->ulimits);
    s->spec.layers = skl_strv_dup(from->layers);
    s->spec.registry_auth = skl_strdup(from->registry_auth);
    s->spec.labels = (struct skl_labels){0};
    skl_labels_copy(&s->spec.labels, &from->labels);
    s->spec.config_json = NULL; /* no backend prints or reads Docker's JSON */
    s->spec.host_config_json = NULL;
    s->spec.platform = skl_strdup(from->platform);
    mounts_copy(&s->spec, from);
    return s;
}

void skl_snapshot_free(struct skl_container_snapshot *s)
{
    if (!s)
        return;
    skl_container_spec_fini(&s->spec);
    skl_labels_fini(&s->cloud);
    free(s->name);
    free(s->token);
    free(s->agent_ca);
    free(s);
}

void skl_outcome_fini(struct skl_outcome *o)
{
    skl_labels_fini(&o->cloud);
    free(o->agent_address);
    free(o->warning);
}
