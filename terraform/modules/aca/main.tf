# What the Container Apps backend needs. A container becomes a job in this environment; the backend makes the jobs.

module "base" {
  source = "../azure-base"

  name                = var.name
  location            = var.location
  address_space       = var.address_space
  workload_delegation = "Microsoft.App/environments"
  log_retention_days  = var.log_retention_days
  operators           = var.operators
  tags                = var.tags

  backend_actions = [
    "Microsoft.App/jobs/*",
    "Microsoft.App/managedEnvironments/read",
    "Microsoft.App/managedEnvironments/join/action",
    "Microsoft.App/managedEnvironments/storages/*",
  ]
  # Agents' tokens are secrets of the jobs; the backend writes them and never reads them back.
  backend_actions_except = ["Microsoft.App/jobs/listSecrets/action"]
}

resource "azurerm_container_app_environment" "this" {
  name                       = var.environment_name
  resource_group_name        = module.base.resource_group_name
  location                   = module.base.location
  logs_destination           = "log-analytics"
  log_analytics_workspace_id = module.base.log_analytics_resource_id
  infrastructure_subnet_id   = module.base.workload_subnet_id
  tags                       = var.tags

  # Up to 4 vCPU and 8 GiB for a container, twice of what an environment without profiles gives.
  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }

  lifecycle {
    # Azure names a group of its own for what it runs in the subnet.
    ignore_changes = [infrastructure_resource_group_name]
  }
}
