# The settings of the backend that this module knows. Each has an output of its own, too.
output "environment" {
  description = "Environment variables for the backend."
  value = {
    SOCKERLESS_ACA_RESOURCE_GROUP          = module.base.resource_group_name
    SOCKERLESS_ACA_ENVIRONMENT             = azurerm_container_app_environment.this.name
    SOCKERLESS_ACA_LOCATION                = module.base.location
    SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE = module.base.log_analytics_workspace_id
    SOCKERLESS_ACA_STORAGE_ACCOUNT         = module.base.storage_account_name
    SOCKERLESS_ACA_AGENT_IMAGE             = "${module.base.acr_login_server}/sockerless/agent:${var.agent_tag}"
    SOCKERLESS_ACA_WORKLOAD_PROFILE        = "Consumption"
    SOCKERLESS_ACA_REGISTRY_IDENTITY       = module.base.pull_identity_id
  }
}

output "resource_group_name" {
  description = "The resource group that jobs are made in."
  value       = module.base.resource_group_name
}

output "environment_name" {
  description = "The Container Apps environment."
  value       = azurerm_container_app_environment.this.name
}

output "location" {
  description = "The Azure region."
  value       = module.base.location
}

output "log_analytics_workspace_id" {
  description = "The Log Analytics workspace, as GUID."
  value       = module.base.log_analytics_workspace_id
}

output "storage_account_name" {
  description = "The storage account for volumes."
  value       = module.base.storage_account_name
}

output "agent_image" {
  description = "The agent image; push it there before the first container."
  value       = "${module.base.acr_login_server}/sockerless/agent:${var.agent_tag}"
}

output "workload_profile_name" {
  description = "The workload profile that jobs run on."
  value       = "Consumption"
}

output "registry_identity_id" {
  description = "The resource ID of the identity that pulls images."
  value       = module.base.pull_identity_id
}

output "backend_identity_client_id" {
  description = "The client ID of the identity that the backend works as."
  value       = module.base.backend_identity_client_id
}

output "acr_login_server" {
  description = "The login server of the container registry."
  value       = module.base.acr_login_server
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
