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
    SOCKERLESS_ACA_SUBSCRIPTION_ID         = "00000000-0000-0000-0000-000000000000"
    SOCKERLESS_ACA_RESOURCE_GROUP          = "sockerless"
    SOCKERLESS_ACA_ENVIRONMENT             = "sockerless"
    SOCKERLESS_ACA_LOCATION                = "eastus"
    SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE = "11111111-2222-3333-4444-555555555555"
    SOCKERLESS_ACA_AGENT_IMAGE             = "sockerless/agent:latest"
  }
}

output "resource_group_name" {
  description = "The resource group."
  value       = "sockerless"
}

output "environment_name" {
  description = "The Container Apps environment."
  value       = "sockerless"
}

output "location" {
  description = "The region."
  value       = "eastus"
}

output "log_analytics_workspace_id" {
  description = "The Log Analytics workspace."
  value       = "11111111-2222-3333-4444-555555555555"
}

output "agent_image" {
  description = "The image that the simulator has the agent in."
  value       = "sockerless/agent:latest"
}
