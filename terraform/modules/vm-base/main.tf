# The cloud-init document of a VM with a backend on it; the same on every cloud but for how a package is fetched.

locals {
  service = "sockerless-backend-${var.backend}"

  settings = merge({
    SOCKERLESS_HOST           = "fd://,tcp://0.0.0.0:${var.ports.docker}"
    SOCKERLESS_TLSVERIFY      = "true"
    SOCKERLESS_TLSCACERT      = "/var/lib/sockerless/tls/ca.pem"
    SOCKERLESS_TLSCERT        = "/var/lib/sockerless/tls/server.pem"
    SOCKERLESS_TLSKEY         = "/var/lib/sockerless/tls/server-key.pem"
    SOCKERLESS_AGENT_LISTEN   = "0.0.0.0:${var.ports.agent}"
    SOCKERLESS_AGENT_TLS_CERT = "/var/lib/sockerless/tls/server.pem"
    SOCKERLESS_AGENT_TLS_KEY  = "/var/lib/sockerless/tls/server-key.pem"
    SOCKERLESS_AGENT_TLS_CA   = "/var/lib/sockerless/tls/ca.pem"
    SOCKERLESS_CALLBACK_URL   = "https://${var.host_name}:${var.ports.agent}"
    SOCKERLESS_LOG_FORMAT     = "json"
  }, var.environment)

  files = merge({
    "/etc/sockerless/vm.env" = join("", [for name, value in local.settings : "${name}=${value}\n"])

    "/etc/systemd/system/${local.service}.service.d/vm.conf" = templatefile("${path.module}/files/service.conf", {
      names = join(" ", concat([var.host_name], var.more_names))
    })

    "/etc/systemd/system/sockerless-upgrade.service" = file("${path.module}/files/upgrade.service")
    "/etc/systemd/system/sockerless-upgrade.timer"   = file("${path.module}/files/upgrade.timer")
    "/etc/sockerless/upgrade.env"                    = "SERVICE=${local.service}\n"
  }, var.files)

  scripts = {
    "/usr/local/sbin/sockerless-fetch"   = var.fetch
    "/usr/local/sbin/sockerless-tls"     = file("${path.module}/files/tls.sh")
    "/usr/local/sbin/sockerless-upgrade" = file("${path.module}/files/upgrade.sh")
  }
}
