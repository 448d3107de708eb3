# What the Functions backend needs. A container becomes a Function App on this plan; the backend makes the apps.

module "base" {
  source = "../azure-base"

  name                = var.name
  location            = var.location
  address_space       = var.address_space
  workload_delegation = "Microsoft.Web/serverFarms"
  log_retention_days  = var.log_retention_days
  operators           = var.operators
  tags                = var.tags

  backend_actions = [
    "Microsoft.Web/sites/*",
    "Microsoft.Web/serverfarms/read",
    "Microsoft.Web/serverfarms/join/action",
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
  ]
  # No way into the apps' files and deployment accounts, which the backend has no use for.
  backend_actions_except = ["Microsoft.Web/sites/publishxml/action"]
}

locals {
  elastic = startswith(var.plan_sku, "EP")
}

# It bills while it exists, apps or not.
resource "azurerm_service_plan" "this" {
  name                         = var.name
  resource_group_name          = module.base.resource_group_name
  location                     = module.base.location
  os_type                      = "Linux"
  sku_name                     = var.plan_sku
  maximum_elastic_worker_count = local.elastic ? var.plan_workers : null
  # On a plan of fixed size each app would run on every worker: several copies of one container.
  worker_count = local.elastic ? null : 1
  tags         = var.tags
}

# The backend mounts this share at /sockerless in each app.
resource "azurerm_storage_share" "agent" {
  name               = "sockerless-agent"
  storage_account_id = module.base.storage_account_id
  quota              = 1
}

resource "azurerm_storage_share_file" "agent" {
  name              = "sockerless-agent"
  storage_share_url = azurerm_storage_share.agent.url
  source            = var.agent_path
  content_md5       = filemd5(var.agent_path)
}
