variable "location" {
  description = "The Azure region."
  type        = string
  default     = "eastus"

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "A region is written like eastus, without spaces."
  }
}

variable "name" {
  description = "What the resources are called."
  type        = string
  default     = "sockerless"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 20 lower-case letters, digits and hyphens."
  }
}

variable "package_path" {
  description = "The Debian package of the backend, as `make deb` builds it."
  type        = string

  validation {
    condition     = fileexists(var.package_path)
    error_message = "There is no such file."
  }
}

variable "ssh_public_key_path" {
  description = "The public key that may log in."
  type        = string

  validation {
    condition     = fileexists(var.ssh_public_key_path)
    error_message = "There is no such file."
  }
}

variable "allowed_from" {
  description = "Where you come from, like 203.0.113.7/32: these addresses reach SSH and the Docker API."
  type        = list(string)

  validation {
    condition     = length(var.allowed_from) > 0
    error_message = "Name your own address at least."
  }
}
