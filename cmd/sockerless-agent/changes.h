/* changes - what the workload has done to its files, by their times. */
#ifndef SKL_AGENT_CHANGES_H
#define SKL_AGENT_CHANGES_H

#include "agent.h"

/* What the agent and the platform put there, not the user. */
bool agent_path_is_ours(const char *path);
/* A number for the mount that the path lies in; 0: the path is gone. */
uint64_t agent_mount_of(const char *path);
/* '0' modified or '1' added since the agent began; 0 for the rest and for what lies in other mounts. */
char agent_change_of(const struct agent *a, const char *path, uint64_t root_mount,
                     bool parent_grew);
/* Entries of the directory came or went by the workload's doing. */
bool agent_dir_has_grown(const struct agent *a, const char *path);
/* Anything in the tree since the newest command began. */
bool agent_tree_has_changed(const struct agent *a, const char *path);

#endif
