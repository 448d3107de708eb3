output "admin" {
  description = "Whom to log in as."
  value       = module.vm.admin
}

output "vm" {
  description = "The address of the VM."
  value       = module.vm.public_address
}

output "artifact_registry_repository" {
  description = "Where images are pushed to."
  value       = module.sockerless.artifact_registry_repository
}

output "callback_url" {
  description = "What agents dial."
  value       = module.vm.callback_url
}
