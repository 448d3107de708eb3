include "cloud" {
  path = find_in_parent_folders("azure.hcl")
}

terraform {
  source = "${get_terragrunt_dir()}/../../..//modules/azf"
}

inputs = {
  name       = get_env("SOCKERLESS_NAME", "sockerless")
  location   = get_env("SOCKERLESS_AZF_LOCATION", "eastus")
  agent_path = get_env("SOCKERLESS_AGENT", "${get_repo_root()}/build/cmd/sockerless-agent")
}
