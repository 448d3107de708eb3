output "host_name" {
  description = "The name that agents reach the VM by, in the virtual network."
  value       = local.host_name
}

output "callback_url" {
  description = "SOCKERLESS_CALLBACK_URL of the backend."
  value       = "https://${local.host_name}:${local.ports.agent}"
}

output "public_name" {
  description = "The name that people reach the VM by; empty without a public address."
  value       = join("", azurerm_public_ip.this[*].fqdn)
}

output "private_address" {
  description = "The VM's address in the virtual network."
  value       = azurerm_network_interface.this.private_ip_address
}

output "admin" {
  description = "Whom to log in as."
  value       = azurerm_linux_virtual_machine.this.admin_username
}
