# What the Azure environments have in common. The subscription is ARM_SUBSCRIPTION_ID, the login that of `az login`.

generate "provider" {
  path      = "provider.tf"
  if_exists = "overwrite_terragrunt"
  contents  = <<-EOT
    provider "azurerm" {
      features {}
    }
  EOT
}

# Beside terragrunt.hcl; put it into a storage account (backend "azurerm") when more than one person works with it.
remote_state {
  backend = "local"

  generate = {
    path      = "backend.tf"
    if_exists = "overwrite_terragrunt"
  }

  config = {
    path = "${get_original_terragrunt_dir()}/terraform.tfstate"
  }
}
