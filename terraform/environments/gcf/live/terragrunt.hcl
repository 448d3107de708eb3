include "cloud" {
  path = find_in_parent_folders("google.hcl")
}

terraform {
  source = "${get_terragrunt_dir()}/../../..//modules/gcf"
}

inputs = {
  name       = get_env("SOCKERLESS_NAME", "sockerless")
  project_id = get_env("SOCKERLESS_GCF_PROJECT")
  region     = get_env("SOCKERLESS_GCF_REGION", "us-central1")
  agent_path = get_env("SOCKERLESS_AGENT", "${get_repo_root()}/build/cmd/sockerless-agent")
}
