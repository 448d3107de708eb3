include "cloud" {
  path = find_in_parent_folders("azure.hcl")
}

terraform {
  source = "${get_terragrunt_dir()}/../../..//modules/aca"
}

inputs = {
  name     = get_env("SOCKERLESS_NAME", "sockerless")
  location = get_env("SOCKERLESS_ACA_LOCATION", "eastus")
}
