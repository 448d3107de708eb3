# What the Google environments have in common. The login is that of `gcloud auth application-default login`.

generate "provider" {
  path      = "provider.tf"
  if_exists = "overwrite_terragrunt"
  contents  = <<-EOT
    provider "google" {
    }
  EOT
}

# Beside terragrunt.hcl; put it into a bucket (backend "gcs") when more than one person works with it.
remote_state {
  backend = "local"

  generate = {
    path      = "backend.tf"
    if_exists = "overwrite_terragrunt"
  }

  config = {
    path = "${get_original_terragrunt_dir()}/terraform.tfstate"
  }
}
