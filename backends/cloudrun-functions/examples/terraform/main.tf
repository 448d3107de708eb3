# The Cloud Run functions backend on a VM beside its workloads, from nothing. README.md walks through it.

terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.37.0"
    }
  }
}

# The login is that of `gcloud auth application-default login`.
provider "google" {
  project = var.project_id
}

module "sockerless" {
  source = "../../../../terraform/modules/gcf"

  project_id = var.project_id
  region     = var.region
  name       = var.name
  agent_path = var.agent_path
}

module "vm" {
  source = "../../../../terraform/modules/vm-gcp"

  name           = var.name
  backend        = "gcf"
  base           = module.sockerless
  environment    = module.sockerless.environment
  package_path   = var.package_path
  ssh_public_key = file(var.ssh_public_key_path)
  ssh_from       = var.allowed_from
  docker_from    = var.allowed_from
  public_address = true
}
