# What both Azure backends stand on: a resource group, a network, logs, a registry, a storage account and two identities.

data "azurerm_client_config" "current" {}

locals {
  # Names of registries and storage accounts are unique over all of Azure: a part of them comes from where they are.
  suffix = substr(sha1("${data.azurerm_client_config.current.subscription_id}/${var.name}"), 0, 8)
  unique = "${substr(replace(var.name, "-", ""), 0, 16)}${local.suffix}"
  prefix = tonumber(split("/", var.address_space)[1])
  delegation_actions = {
    "Microsoft.App/environments" = "Microsoft.Network/virtualNetworks/subnets/join/action"
    "Microsoft.Web/serverFarms"  = "Microsoft.Network/virtualNetworks/subnets/action"
  }
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
  tags     = var.tags
}

resource "azurerm_virtual_network" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  address_space       = [var.address_space]
  tags                = var.tags
}

resource "azurerm_subnet" "workloads" {
  name                 = "workloads"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.address_space, 21 - local.prefix, 0)]
  service_endpoints    = ["Microsoft.Storage"]

  delegation {
    name = "workloads"

    service_delegation {
      name    = var.workload_delegation
      actions = [local.delegation_actions[var.workload_delegation]]
    }
  }
}

resource "azurerm_subnet" "backend" {
  name                 = "backend"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.address_space, 24 - local.prefix, 8)]
}

resource "azurerm_log_analytics_workspace" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = "PerGB2018"
  retention_in_days   = var.log_retention_days
  tags                = var.tags
}

resource "azurerm_container_registry" "this" {
  name                = local.unique
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = "Basic"
  admin_enabled       = false
  tags                = var.tags
}

# Azure Files has no identities over SMB for workloads: the key stays enabled, and only the backend may read it.
resource "azurerm_storage_account" "this" {
  name                            = local.unique
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  account_kind                    = "StorageV2"
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  allow_nested_items_to_be_public = false
  tags                            = var.tags
}

# Workloads pull their images as this identity.
resource "azurerm_user_assigned_identity" "pull" {
  name                = "${var.name}-pull"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "pull" {
  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.pull.principal_id
  principal_type       = "ServicePrincipal"
}

# The backend works as this identity.
resource "azurerm_user_assigned_identity" "backend" {
  name                = "${var.name}-backend"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = var.tags
}

resource "azurerm_role_definition" "backend" {
  name        = "${var.name}-backend-${local.suffix}"
  scope       = azurerm_resource_group.this.id
  description = "What a Sockerless backend does in this resource group."

  permissions {
    actions = concat([
      "Microsoft.Resources/subscriptions/resourceGroups/read",
      "Microsoft.Authorization/permissions/read",
      "Microsoft.ManagedIdentity/userAssignedIdentities/read",
      "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
      "Microsoft.OperationalInsights/workspaces/read",
      "Microsoft.OperationalInsights/workspaces/query/read",
      "Microsoft.OperationalInsights/workspaces/query/*/read",
      "Microsoft.Storage/storageAccounts/read",
      "Microsoft.Storage/storageAccounts/listKeys/action",
      "Microsoft.Storage/storageAccounts/fileServices/shares/*",
    ], var.backend_actions)
    not_actions = var.backend_actions_except
  }

  assignable_scopes = [azurerm_resource_group.this.id]
}

resource "azurerm_role_assignment" "backend" {
  scope              = azurerm_resource_group.this.id
  role_definition_id = azurerm_role_definition.backend.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.backend.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "backend_pull" {
  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.backend.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "operator" {
  for_each = toset(var.operators)

  scope              = azurerm_resource_group.this.id
  role_definition_id = azurerm_role_definition.backend.role_definition_resource_id
  principal_id       = each.value
}
