# The settings of the backend that this module knows. Each has an output of its own, too.
output "environment" {
  description = "Environment variables for the backend."
  value = {
    SOCKERLESS_AZF_RESOURCE_GROUP              = module.base.resource_group_name
    SOCKERLESS_AZF_LOCATION                    = module.base.location
    SOCKERLESS_AZF_STORAGE_ACCOUNT             = module.base.storage_account_name
    SOCKERLESS_AZF_REGISTRY                    = module.base.acr_login_server
    SOCKERLESS_AZF_APP_SERVICE_PLAN            = azurerm_service_plan.this.id
    SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE     = module.base.log_analytics_workspace_id
    SOCKERLESS_AZF_AGENT_SHARE                 = azurerm_storage_share.agent.name
    SOCKERLESS_AZF_SUBNET                      = module.base.workload_subnet_id
    SOCKERLESS_AZF_REGISTRY_IDENTITY           = module.base.pull_identity_id
    SOCKERLESS_AZF_REGISTRY_IDENTITY_CLIENT_ID = module.base.pull_identity_client_id
  }
}

output "resource_group_name" {
  description = "The resource group that Function Apps are made in."
  value       = module.base.resource_group_name
}

output "location" {
  description = "The Azure region."
  value       = module.base.location
}

output "storage_account_name" {
  description = "The storage account of the Function Apps, with the share of the agent."
  value       = module.base.storage_account_name
}

output "acr_login_server" {
  description = "The login server of the container registry."
  value       = module.base.acr_login_server
}

output "app_service_plan_id" {
  description = "The resource ID of the App Service plan."
  value       = azurerm_service_plan.this.id
}

output "log_analytics_workspace_id" {
  description = "The Log Analytics workspace, as GUID."
  value       = module.base.log_analytics_workspace_id
}

output "agent_share_name" {
  description = "The file share that the agent was uploaded to."
  value       = azurerm_storage_share.agent.name
}

output "workload_subnet_id" {
  description = "The resource ID of the subnet that Function Apps reach private addresses through."
  value       = module.base.workload_subnet_id
}

output "registry_identity_id" {
  description = "The resource ID of the identity that pulls images."
  value       = module.base.pull_identity_id
}

output "registry_identity_client_id" {
  description = "The client ID of the identity that pulls images."
  value       = module.base.pull_identity_client_id
}

output "backend_identity_client_id" {
  description = "The client ID of the identity that the backend works as."
  value       = module.base.backend_identity_client_id
}

output "virtual_network_id" {
  description = "The resource ID of the virtual network."
  value       = module.base.virtual_network_id
}

output "workload_subnet_prefix" {
  description = "The addresses that workloads' connections come from."
  value       = module.base.workload_subnet_prefix
}

output "backend_subnet_id" {
  description = "The resource ID of the subnet for the backend's VM."
  value       = module.base.backend_subnet_id
}

output "backend_identity_id" {
  description = "The resource ID of the identity that the backend works as."
  value       = module.base.backend_identity_id
}

output "backend_identity_principal_id" {
  description = "The object ID of that identity."
  value       = module.base.backend_identity_principal_id
}

output "storage_account_id" {
  description = "The resource ID of the storage account."
  value       = module.base.storage_account_id
}

output "log_analytics_resource_id" {
  description = "The resource ID of the Log Analytics workspace."
  value       = module.base.log_analytics_resource_id
}
