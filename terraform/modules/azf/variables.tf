variable "name" {
  description = "What the resources are called; the resource group has this name."
  type        = string
  default     = "sockerless"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "A name has 3 to 24 lower-case letters, digits and single hyphens, and begins with a letter."
  }
}

variable "location" {
  description = "The Azure region of everything."
  type        = string
  default     = "eastus"

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "A region is written like eastus, without spaces."
  }
}

variable "address_space" {
  description = "The IPv4 range of the virtual network: the workloads get its first /21, the backend's VM a /24."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrhost(var.address_space, 0)) && can(regex("/(8|9|1[0-9]|20)$", var.address_space))
    error_message = "The address space is an IPv4 range like 10.42.0.0/16, a /20 at least."
  }
}

variable "log_retention_days" {
  description = "How many days Log Analytics keeps what workloads print."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "Log Analytics keeps logs for 30 to 730 days."
  }
}

variable "operators" {
  description = "Object IDs that get the backend's role too, for running the backend somewhere else than on the VM."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.operators : can(regex("^[0-9a-fA-F-]{36}$", id))])
    error_message = "An object ID is a GUID."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 45
    error_message = "Azure takes 50 tags; five are left to the backend."
  }
}

variable "plan_sku" {
  description = "The size of the App Service plan that all containers share; custom containers need one of these."
  type        = string
  default     = "EP1"

  validation {
    condition     = can(regex("^(EP[1-3]|P[0-3]v3|B[1-3]|S[1-3])$", var.plan_sku))
    error_message = "Custom containers run on EP1 to EP3, P0v3 to P3v3, B1 to B3 and S1 to S3."
  }
}

variable "plan_workers" {
  description = "How many instances an elastic plan may grow to; one container takes one of them."
  type        = number
  default     = 20

  validation {
    condition     = var.plan_workers >= 1 && var.plan_workers <= 100
    error_message = "A plan has 1 to 100 workers."
  }
}

variable "agent_path" {
  description = "The sockerless-agent executable on this machine, which is uploaded to the agent's file share."
  type        = string

  validation {
    condition     = fileexists(var.agent_path)
    error_message = "There is no such file: build it (build/cmd/sockerless-agent) or unpack it from a release."
  }
}
