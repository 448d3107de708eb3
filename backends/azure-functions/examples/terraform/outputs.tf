output "admin" {
  description = "Whom to log in as."
  value       = module.vm.admin
}

output "vm" {
  description = "The name of the VM."
  value       = module.vm.public_name
}

output "resource_group_name" {
  description = "The resource group."
  value       = module.sockerless.resource_group_name
}

output "acr_login_server" {
  description = "Where images are pushed to."
  value       = module.sockerless.acr_login_server
}

output "callback_url" {
  description = "What agents dial."
  value       = module.vm.callback_url
}
