# The Functions backend on a VM beside its workloads, from nothing. README.md walks through it.

terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "4.55.0"
    }
  }
}

# The subscription is ARM_SUBSCRIPTION_ID, the login that of `az login`.
provider "azurerm" {
  features {}
}

data "azurerm_client_config" "current" {}

module "sockerless" {
  source = "../../../../terraform/modules/azf"

  name       = var.name
  location   = var.location
  agent_path = var.agent_path
}

module "vm" {
  source = "../../../../terraform/modules/vm-azure"

  name    = var.name
  backend = "azf"
  base    = module.sockerless
  environment = merge(module.sockerless.environment, {
    SOCKERLESS_AZF_SUBSCRIPTION_ID = data.azurerm_client_config.current.subscription_id
  })
  package_path   = var.package_path
  ssh_public_key = file(var.ssh_public_key_path)
  ssh_from       = var.allowed_from
  docker_from    = var.allowed_from
  public_address = true
}
