# What the Cloud Run functions backend needs. A container becomes a function; the backend makes the functions.

locals {
  services = ["artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "compute", "iamcredentials", "logging", "run", "storage"]

  # Functions are made with a stub as source; the service below them gets the container's image.
  backend_roles = ["roles/cloudfunctions.developer", "roles/run.developer", "roles/run.invoker", "roles/logging.viewer"]
}

resource "google_project_service" "this" {
  for_each = toset(local.services)

  project            = var.project_id
  service            = "${each.value}.googleapis.com"
  disable_on_destroy = false
}

# Functions run as this account; it has a right to the bucket alone.
resource "google_service_account" "runtime" {
  project      = var.project_id
  account_id   = "${var.name}-run"
  display_name = "Sockerless workloads"
}

# The stub's build runs as this account.
resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "${var.name}-build"
  display_name = "Sockerless builds"
}

# The backend works as this account.
resource "google_service_account" "backend" {
  project      = var.project_id
  account_id   = "${var.name}-backend"
  display_name = "Sockerless backend"
}

resource "google_project_iam_member" "build" {
  project = var.project_id
  role    = "roles/cloudbuild.builds.builder"
  member  = google_service_account.build.member
}

resource "google_project_iam_member" "backend" {
  for_each = toset(local.backend_roles)

  project = var.project_id
  role    = each.value
  member  = google_service_account.backend.member
}

# Functions are made to run as the one and to be built as the other.
resource "google_service_account_iam_member" "act_as" {
  for_each = {
    runtime = google_service_account.runtime.name
    build   = google_service_account.build.name
  }

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.backend.member
}

resource "google_service_account_iam_member" "operator" {
  for_each = toset(var.operators)

  service_account_id = google_service_account.backend.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}

# The stub's source, the agent (bin/sockerless-agent, mounted at /sockerless) and Docker volumes (volumes/NAME/).
resource "google_storage_bucket" "this" {
  project                     = var.project_id
  name                        = "${var.project_id}-${var.name}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = {
    backend = google_service_account.backend.member
    runtime = google_service_account.runtime.member
  }

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = each.value
}

resource "google_storage_bucket_object" "agent" {
  bucket         = google_storage_bucket.this.name
  name           = "bin/sockerless-agent"
  source         = var.agent_path
  content_type   = "application/octet-stream"
  detect_md5hash = filemd5(var.agent_path)
}

# Images of one's own, and a cache of Docker Hub's, whose limits for anonymous pulls Google's addresses share.
resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = var.name
  description   = "Images that containers run from"
  format        = "DOCKER"
  labels        = var.labels

  depends_on = [google_project_service.this]
}

resource "google_artifact_registry_repository" "docker_hub" {
  project       = var.project_id
  location      = var.region
  repository_id = "${var.name}-docker-hub"
  description   = "Docker Hub"
  format        = "DOCKER"
  mode          = "REMOTE_REPOSITORY"
  labels        = var.labels

  remote_repository_config {
    docker_repository {
      public_repository = "DOCKER_HUB"
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_artifact_registry_repository_iam_member" "backend" {
  for_each = {
    images     = google_artifact_registry_repository.images.name
    docker_hub = google_artifact_registry_repository.docker_hub.name
  }

  project    = var.project_id
  location   = var.region
  repository = each.value
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.backend.member
}

# Functions reach the backend's private address through this network.
resource "google_compute_network" "this" {
  project                 = var.project_id
  name                    = var.name
  auto_create_subnetworks = false

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "workloads" {
  project       = var.project_id
  name          = "${var.name}-workloads"
  region        = var.region
  network       = google_compute_network.this.id
  ip_cidr_range = var.workload_range
}

resource "google_compute_subnetwork" "backend" {
  project                  = var.project_id
  name                     = "${var.name}-backend"
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.backend_range
  private_ip_google_access = true
}
