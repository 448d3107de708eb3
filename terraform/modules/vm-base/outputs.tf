output "cloud_init" {
  description = "The cloud-init document."
  value = "#cloud-config\n${yamlencode({
    package_update = true
    packages       = concat(["curl", "openssl"], var.packages)

    write_files = concat(
      [for path, content in local.files : { path = path, content = content, permissions = "0644" }],
      [for path, content in local.scripts : { path = path, content = content, permissions = "0755" }],
      # An empty disk gets a file system; one with state on it is mounted as it is.
      [{
        path    = "/etc/fstab"
        append  = true
        content = "${var.disk} /var/lib/sockerless ext4 defaults,nofail,x-systemd.makefs,x-systemd.device-timeout=10min 0 2\n"
      }],
    )

    runcmd = concat([
      "systemctl daemon-reload",
      "systemctl start var-lib-sockerless.mount",
      "systemctl enable --now sockerless-upgrade.timer",
    ], var.commands)
  })}"
}
