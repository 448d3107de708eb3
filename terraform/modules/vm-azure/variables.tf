variable "backend" {
  description = "Which backend runs."
  type        = string

  validation {
    condition     = contains(["aca", "azf"], var.backend)
    error_message = "The backends for this cloud are aca and azf."
  }
}

variable "environment" {
  description = "Environment variables of the backend: the output of that name of its module, and what you add. No secrets: they would be in the state."
  type        = map(string)

  validation {
    condition     = alltrue([for name, value in var.environment : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("[\n\"\\\\]", value))])
    error_message = "Names are upper-case, values have no quotes, backslashes and new lines."
  }
}

variable "package_path" {
  description = "The backend's Debian package on this machine. Another file here replaces the package on the running VM."
  type        = string

  validation {
    condition     = fileexists(var.package_path) && endswith(var.package_path, ".deb")
    error_message = "There is no such .deb: `make deb` builds it."
  }
}

variable "size" {
  description = "The VM's size; a backend for hundreds of containers is content with the smallest."
  type        = string
  default     = "Standard_B1ms"

  validation {
    condition     = can(regex("^Standard_[A-Z][A-Za-z0-9_]+$", var.size))
    error_message = "A size is written like Standard_B1ms."
  }
}

variable "disk_gb" {
  description = "The size of the data disk: state, and each container's output (300 MB at most by default)."
  type        = number
  default     = 32

  validation {
    condition     = var.disk_gb >= 10 && var.disk_gb <= 4096
    error_message = "The data disk has 10 to 4096 GB."
  }
}

variable "ssh_public_key" {
  description = "The public key of who may log in."
  type        = string

  validation {
    condition     = can(regex("^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp256) [A-Za-z0-9+/=]+", var.ssh_public_key))
    error_message = "This is not the text of a public key file."
  }
}

variable "ssh_from" {
  description = "Addresses that may log in by SSH; nobody by default."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.ssh_from : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "Ranges are written like 203.0.113.7/32; all the world is not one of them."
  }
}

variable "docker_from" {
  description = "Addresses that may reach the Docker API, with a client certificate; nobody by default."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.docker_from : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "Ranges are written like 203.0.113.7/32; all the world is not one of them."
  }
}

variable "public_address" {
  description = "Whether the VM has a public address too; agents use the private one in any case."
  type        = bool
  default     = false
}

variable "name" {
  description = "What the VM and what belongs to it are called."
  type        = string
  default     = "sockerless"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "base" {
  description = "What the VM stands in: outputs of the module aca or azf."
  type = object({
    resource_group_name           = string
    location                      = string
    virtual_network_id            = string
    backend_subnet_id             = string
    workload_subnet_prefix        = string
    storage_account_id            = string
    storage_account_name          = string
    log_analytics_resource_id     = string
    backend_identity_id           = string
    backend_identity_client_id    = string
    backend_identity_principal_id = string
  })

  validation {
    condition     = can(cidrhost(var.base.workload_subnet_prefix, 0))
    error_message = "Pass the module's outputs as they are: base = module.sockerless."
  }
}

variable "dns_zone" {
  description = "The private DNS zone that the VM's name is in, seen in the virtual network alone."
  type        = string
  default     = "sockerless.internal"

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.dns_zone))
    error_message = "A zone is written like sockerless.internal."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 50
    error_message = "Azure takes 50 tags."
  }
}
