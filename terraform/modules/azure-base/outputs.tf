output "resource_group_name" {
  description = "The resource group."
  value       = azurerm_resource_group.this.name
}

output "location" {
  description = "The Azure region."
  value       = azurerm_resource_group.this.location
}

output "storage_account_name" {
  description = "The storage account."
  value       = azurerm_storage_account.this.name
}

output "storage_account_id" {
  description = "The resource ID of the storage account."
  value       = azurerm_storage_account.this.id
}

output "acr_login_server" {
  description = "The container registry's login server."
  value       = azurerm_container_registry.this.login_server
}

output "log_analytics_workspace_id" {
  description = "The Log Analytics workspace, as the GUID that queries are asked with."
  value       = azurerm_log_analytics_workspace.this.workspace_id
}

output "log_analytics_resource_id" {
  description = "The resource ID of that workspace."
  value       = azurerm_log_analytics_workspace.this.id
}

output "virtual_network_id" {
  description = "The resource ID of the virtual network."
  value       = azurerm_virtual_network.this.id
}

output "workload_subnet_id" {
  description = "The resource ID of the subnet that workloads reach private addresses through."
  value       = azurerm_subnet.workloads.id
}

output "workload_subnet_prefix" {
  description = "The addresses of that subnet."
  value       = azurerm_subnet.workloads.address_prefixes[0]
}

output "backend_subnet_id" {
  description = "The resource ID of the subnet for the backend's VM."
  value       = azurerm_subnet.backend.id
}

output "pull_identity_id" {
  description = "The resource ID of the identity that pulls images."
  value       = azurerm_user_assigned_identity.pull.id
}

output "pull_identity_client_id" {
  description = "The client ID of the identity that pulls images."
  value       = azurerm_user_assigned_identity.pull.client_id
}

output "backend_identity_id" {
  description = "The resource ID of the identity that the backend works as."
  value       = azurerm_user_assigned_identity.backend.id
}

output "backend_identity_client_id" {
  description = "The client ID of the identity that the backend works as."
  value       = azurerm_user_assigned_identity.backend.client_id

  # Who starts the backend with this has its rights first.
  depends_on = [azurerm_role_assignment.backend, azurerm_role_assignment.backend_pull]
}

output "backend_identity_principal_id" {
  description = "The object ID of the identity that the backend works as."
  value       = azurerm_user_assigned_identity.backend.principal_id
}
