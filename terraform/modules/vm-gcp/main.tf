# A small VM with the backend on it. Agents reach its private address by a name in a private zone; people reach it by SSH or
# by the Docker API with a client certificate, from where `ssh_from` and `docker_from` say.

locals {
  ports     = { agent = 9443, docker = 2376 }
  host_name = "backend.${var.dns_zone}"
  zone      = "${var.base.region}-${var.zone}"
  account   = "serviceAccount:${var.base.backend_service_account_email}"
}

# --- the package, and what the VM does at its first boot

resource "google_storage_bucket_object" "package" {
  bucket = var.base.bucket_name
  name   = "packages/${filesha256(var.package_path)}.deb"
  source = var.package_path
}

module "machine" {
  source = "../vm-base"

  backend     = var.backend
  environment = var.environment
  host_name   = local.host_name
  more_names  = []
  ports       = local.ports
  disk        = "/dev/disk/by-id/google-state"
  fetch       = file("${path.module}/files/fetch.sh")
  packages    = []
  # The journal goes to Cloud Logging.
  commands = [
    "curl -sSfo /run/ops-agent.sh https://dl.google.com/cloudagents/add-google-cloud-ops-agent-repo.sh",
    "bash /run/ops-agent.sh --also-install",
  ]
  files = {
    "/etc/google-cloud-ops-agent/config.yaml" = file("${path.module}/files/ops-agent.yaml")
  }
}

resource "google_project_iam_member" "logs" {
  project = var.base.project_id
  role    = "roles/logging.logWriter"
  member  = local.account
}

# --- network

resource "google_project_service" "dns" {
  project            = var.base.project_id
  service            = "dns.googleapis.com"
  disable_on_destroy = false
}

resource "google_dns_managed_zone" "this" {
  project    = var.base.project_id
  name       = var.name
  dns_name   = "${var.dns_zone}."
  visibility = "private"
  labels     = var.labels

  private_visibility_config {
    networks {
      network_url = var.base.network_id
    }
  }

  depends_on = [google_project_service.dns]
}

resource "google_dns_record_set" "this" {
  project      = var.base.project_id
  managed_zone = google_dns_managed_zone.this.name
  name         = "${local.host_name}."
  type         = "A"
  ttl          = 60
  rrdatas      = [google_compute_address.private.address]
}

resource "google_compute_address" "private" {
  project      = var.base.project_id
  name         = "${var.name}-private"
  region       = var.base.region
  address_type = "INTERNAL"
  subnetwork   = var.base.backend_subnet_id
}

resource "google_compute_address" "public" {
  count = var.public_address ? 1 : 0

  project = var.base.project_id
  name    = var.name
  region  = var.base.region
}

# A network lets nothing in that no rule allows.
resource "google_compute_firewall" "this" {
  for_each = { for name, rule in {
    agents = { port = local.ports.agent, from = [var.base.workload_range] }
    ssh    = { port = 22, from = var.ssh_from }
    docker = { port = local.ports.docker, from = var.docker_from }
  } : name => rule if length(rule.from) > 0 }

  project                 = var.base.project_id
  name                    = "${var.name}-${each.key}"
  network                 = var.base.network_id
  source_ranges           = each.value.from
  target_service_accounts = [var.base.backend_service_account_email]

  allow {
    protocol = "tcp"
    ports    = [each.value.port]
  }
}

# Without a public address the machine reaches Debian's and Google's packages through this.
resource "google_compute_router" "this" {
  count = var.public_address ? 0 : 1

  project = var.base.project_id
  name    = var.name
  region  = var.base.region
  network = var.base.network_id
}

resource "google_compute_router_nat" "this" {
  count = var.public_address ? 0 : 1

  project                            = var.base.project_id
  name                               = var.name
  region                             = var.base.region
  router                             = google_compute_router.this[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = var.base.backend_subnet_id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }
}

# --- the machine; its state is on a disk that outlives it

resource "google_compute_disk" "state" {
  project = var.base.project_id
  name    = "${var.name}-state"
  zone    = local.zone
  type    = "pd-balanced"
  size    = var.disk_gb
  labels  = var.labels

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_compute_instance" "this" {
  project                   = var.base.project_id
  name                      = var.name
  zone                      = local.zone
  machine_type              = var.size
  allow_stopping_for_update = true
  labels                    = var.labels

  metadata = {
    user-data = module.machine.cloud_init
    # What to run; changing it changes nothing but this text, which the machine looks at every minute.
    sockerless-package     = "https://storage.googleapis.com/${google_storage_bucket_object.package.bucket}/${google_storage_bucket_object.package.name} ${filesha256(var.package_path)}"
    ssh-keys               = "sockerless-admin:${var.ssh_public_key}"
    block-project-ssh-keys = "true"
    # Google's image of Debian comes without cloud-init.
    startup-script = file("${path.module}/files/startup.sh")
  }

  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-12"
    }
  }

  attached_disk {
    source      = google_compute_disk.state.id
    device_name = "state"
  }

  network_interface {
    subnetwork = var.base.backend_subnet_id
    network_ip = google_compute_address.private.address

    dynamic "access_config" {
      for_each = google_compute_address.public[*].address

      content {
        nat_ip = access_config.value
      }
    }
  }

  service_account {
    email  = var.base.backend_service_account_email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  depends_on = [google_compute_router_nat.this, google_project_iam_member.logs]
}
