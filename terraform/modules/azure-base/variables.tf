# Checked where they are set: in the modules of the backends.

variable "name" {
  description = "What the resources are called; the resource group has this name."
  type        = string
}

variable "location" {
  description = "The Azure region of everything."
  type        = string
}

variable "address_space" {
  description = "The IPv4 range of the virtual network: the workloads get its first /21, the backend's VM a /24."
  type        = string
}

variable "workload_delegation" {
  description = "The service that the workloads' subnet is delegated to."
  type        = string

  validation {
    condition     = contains(["Microsoft.App/environments", "Microsoft.Web/serverFarms"], var.workload_delegation)
    error_message = "Workloads run in Microsoft.App/environments or Microsoft.Web/serverFarms."
  }
}

variable "log_retention_days" {
  description = "How many days Log Analytics keeps what workloads print."
  type        = number
}

variable "backend_actions" {
  description = "What the backend may do in the resource group, beside what every backend needs."
  type        = list(string)

  validation {
    condition     = length(var.backend_actions) > 0 && !contains(var.backend_actions, "*")
    error_message = "Name the actions; * is not one of them."
  }
}

variable "backend_actions_except" {
  description = "What is taken out of backend_actions again."
  type        = list(string)

  validation {
    condition     = alltrue([for action in var.backend_actions_except : startswith(action, "Microsoft.")])
    error_message = "An action is written like Microsoft.App/jobs/listSecrets/action."
  }
}

variable "operators" {
  description = "Object IDs that get the backend's role too, for running the backend somewhere else than on the VM."
  type        = list(string)
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
}
