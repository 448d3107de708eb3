# What sockerless-sim-azure comes with, under the names of the live environment's outputs: a resource that a simulator has
# already needs no provider. `terragrunt apply` makes the outputs, `terragrunt output -json environment` the backend's settings.

terraform {
  required_version = ">= 1.5"
}

variable "endpoint_url" {
  description = "Where the simulator listens."
  type        = string
  default     = "http://127.0.0.1:4568"

  validation {
    condition     = can(regex("^https?://[^/]+$", var.endpoint_url))
    error_message = "An address is written like http://127.0.0.1:4568."
  }
}

output "environment" {
  description = "Environment variables for the backend."
  value = {
    SOCKERLESS_ENDPOINT_URL                = var.endpoint_url
    SOCKERLESS_AZF_SUBSCRIPTION_ID         = "00000000-0000-0000-0000-000000000000"
    SOCKERLESS_AZF_RESOURCE_GROUP          = "sockerless"
    SOCKERLESS_AZF_LOCATION                = "eastus"
    SOCKERLESS_AZF_STORAGE_ACCOUNT         = "sockerless"
    SOCKERLESS_AZF_APP_SERVICE_PLAN        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sockerless/providers/Microsoft.Web/serverfarms/sockerless"
    SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE = "11111111-2222-3333-4444-555555555555"
    SOCKERLESS_AZF_AGENT_SHARE             = "sockerless-agent"
  }
}

output "resource_group_name" {
  description = "The resource group."
  value       = "sockerless"
}

output "location" {
  description = "The region."
  value       = "eastus"
}

output "storage_account_name" {
  description = "The storage account."
  value       = "sockerless"
}

output "app_service_plan_id" {
  description = "The App Service plan."
  value       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sockerless/providers/Microsoft.Web/serverfarms/sockerless"
}

output "log_analytics_workspace_id" {
  description = "The Log Analytics workspace."
  value       = "11111111-2222-3333-4444-555555555555"
}

output "agent_share_name" {
  description = "The share that the simulator has the agent in."
  value       = "sockerless-agent"
}
