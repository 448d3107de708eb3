variable "project_id" {
  description = "The Google Cloud project that functions are made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project ID has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "The region of everything."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is written like us-central1."
  }
}

variable "name" {
  description = "What the resources are called."
  type        = string
  default     = "sockerless"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 20 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "workload_range" {
  description = "The IPv4 range that functions reach private addresses from; each instance takes up to two of them."
  type        = string
  default     = "10.43.0.0/20"

  validation {
    condition     = can(cidrhost(var.workload_range, 0)) && can(regex("/(8|9|1[0-9]|2[0-6])$", var.workload_range))
    error_message = "The range is an IPv4 range like 10.43.0.0/20, a /26 at least."
  }
}

variable "backend_range" {
  description = "The IPv4 range of the subnet for the backend's VM."
  type        = string
  default     = "10.43.16.0/28"

  validation {
    condition     = can(cidrhost(var.backend_range, 0)) && can(regex("/(1[0-9]|2[0-9])$", var.backend_range))
    error_message = "The range is an IPv4 range like 10.43.16.0/28, a /29 at least."
  }
}

variable "agent_path" {
  description = "The sockerless-agent executable on this machine, which is uploaded to the bucket."
  type        = string

  validation {
    condition     = fileexists(var.agent_path)
    error_message = "There is no such file: build it (build/cmd/sockerless-agent) or unpack it from a release."
  }
}

variable "operators" {
  description = "Who may act as the backend's account, for running the backend somewhere else than on the VM: user:..., group:... or serviceAccount:..."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount):[^@ ]+@[^@ ]+$", member))])
    error_message = "A member is written like user:name@example.com."
  }
}

variable "labels" {
  description = "Labels of every resource that can have them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for k, v in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", k)) && can(regex("^[a-z0-9_-]{0,63}$", v))])
    error_message = "Labels have at most 63 lower-case letters, digits, underscores and hyphens."
  }
}
