output "host_name" {
  description = "The name that agents reach the VM by, in the network."
  value       = local.host_name
}

output "callback_url" {
  description = "SOCKERLESS_CALLBACK_URL of the backend."
  value       = "https://${local.host_name}:${local.ports.agent}"
}

output "public_address" {
  description = "The VM's public address; empty without one."
  value       = join("", google_compute_address.public[*].address)
}

output "private_address" {
  description = "The VM's address in the network."
  value       = google_compute_address.private.address
}

output "admin" {
  description = "Whom to log in as."
  value       = "sockerless-admin"
}
