# Checked where they are set: in the modules of the clouds.

variable "backend" {
  description = "Which backend runs: aca, azf or gcf."
  type        = string
}

variable "environment" {
  description = "Environment variables of the backend; no secrets."
  type        = map(string)
}

variable "host_name" {
  description = "The DNS name that agents and Docker clients reach the VM by."
  type        = string
}

variable "more_names" {
  description = "Further DNS names of the VM, for its certificate."
  type        = list(string)
}

variable "ports" {
  description = "Where agents and Docker clients arrive."
  type        = object({ agent = number, docker = number })
}

variable "disk" {
  description = "The device of the data disk."
  type        = string
}

variable "fetch" {
  description = "A shell script: `fetch wanted` prints \"URL SHA256\" of the package to run, `fetch get URL FILE` downloads it."
  type        = string
}

variable "packages" {
  description = "Debian packages beside the backend's own."
  type        = list(string)
}

variable "commands" {
  description = "Commands at the end of the first boot."
  type        = list(string)
}

variable "files" {
  description = "Further files: path -> content."
  type        = map(string)
}
