# What sockerless-sim-gcp (started with --bucket sockerless) comes with, under the names of the live environment's outputs: a resource that a simulator has
# already needs no provider. `terragrunt apply` makes the outputs, `terragrunt output -json environment` the backend's settings.

terraform {
  required_version = ">= 1.5"
}

variable "endpoint_url" {
  description = "Where the simulator listens."
  type        = string
  default     = "http://127.0.0.1:4567"

  validation {
    condition     = can(regex("^https?://[^/]+$", var.endpoint_url))
    error_message = "An address is written like http://127.0.0.1:4567."
  }
}

output "environment" {
  description = "Environment variables for the backend."
  value = {
    SOCKERLESS_ENDPOINT_URL = var.endpoint_url
    SOCKERLESS_GCF_PROJECT  = "sockerless"
    SOCKERLESS_GCF_REGION   = "us-central1"
    SOCKERLESS_GCF_BUCKET   = "sockerless"
  }
}

output "project_id" {
  description = "The project."
  value       = "sockerless"
}

output "region" {
  description = "The region."
  value       = "us-central1"
}

output "bucket_name" {
  description = "The bucket."
  value       = "sockerless"
}
