# The settings of the backend that this module knows. Each has an output of its own, too.
output "environment" {
  description = "Environment variables for the backend."
  value = {
    SOCKERLESS_GCF_PROJECT               = var.project_id
    SOCKERLESS_GCF_REGION                = var.region
    SOCKERLESS_GCF_SERVICE_ACCOUNT       = google_service_account.runtime.email
    SOCKERLESS_GCF_BUILD_SERVICE_ACCOUNT = google_service_account.build.email
    SOCKERLESS_GCF_BUCKET                = google_storage_bucket.this.name
    SOCKERLESS_GCF_AGENT                 = "bucket:${google_storage_bucket_object.agent.bucket}"
    SOCKERLESS_GCF_DOCKER_HUB_REPO       = google_artifact_registry_repository.docker_hub.repository_id
    SOCKERLESS_GCF_VPC_NETWORK           = google_compute_network.this.name
    SOCKERLESS_GCF_VPC_SUBNET            = google_compute_subnetwork.workloads.name
  }

  # Who starts the backend with this has its rights first.
  depends_on = [google_project_iam_member.backend, google_service_account_iam_member.act_as, google_storage_bucket_iam_member.this]
}

output "project_id" {
  description = "The Google Cloud project."
  value       = var.project_id
}

output "region" {
  description = "The region."
  value       = var.region
}

output "service_account_email" {
  description = "The account that functions run as."
  value       = google_service_account.runtime.email
}

output "build_service_account_email" {
  description = "The account that stubs are built as."
  value       = google_service_account.build.email
}

output "bucket_name" {
  description = "The bucket with the stub, the agent and volumes."
  value       = google_storage_bucket.this.name
}

output "agent" {
  description = "Where functions have the agent from."
  value       = "bucket:${google_storage_bucket_object.agent.bucket}"
}

output "docker_hub_repository" {
  description = "The repository that caches Docker Hub."
  value       = google_artifact_registry_repository.docker_hub.repository_id
}

output "network_name" {
  description = "The network that functions reach private addresses in."
  value       = google_compute_network.this.name
}

output "workload_subnet_name" {
  description = "Their subnet in it."
  value       = google_compute_subnetwork.workloads.name
}

output "artifact_registry_repository" {
  description = "Where images of one's own are pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "backend_service_account_email" {
  description = "The account that the backend works as."
  value       = google_service_account.backend.email
}

output "workload_range" {
  description = "The addresses that functions' connections come from."
  value       = google_compute_subnetwork.workloads.ip_cidr_range
}

output "backend_subnet_id" {
  description = "The subnet for the backend's VM."
  value       = google_compute_subnetwork.backend.id
}

output "network_id" {
  description = "The network, as resource ID."
  value       = google_compute_network.this.id
}
