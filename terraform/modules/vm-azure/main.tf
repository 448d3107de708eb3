# A small VM with the backend on it. Agents reach its private address by a name in a private zone; people reach it by SSH or
# by the Docker API with a client certificate, from where `ssh_from` and `docker_from` say.

locals {
  ports     = { agent = 9443, docker = 2376 }
  host_name = "backend.${var.dns_zone}"
  label     = "${var.name}-${substr(sha1(var.base.backend_identity_id), 0, 8)}"
}

# --- the package, and what the VM does at its first boot

resource "azurerm_storage_container" "packages" {
  name               = "packages"
  storage_account_id = var.base.storage_account_id
}

resource "azurerm_storage_blob" "package" {
  name                   = "${filesha256(var.package_path)}.deb"
  storage_account_name   = var.base.storage_account_name
  storage_container_name = azurerm_storage_container.packages.name
  type                   = "Block"
  source                 = var.package_path
}

resource "azurerm_role_assignment" "packages" {
  scope                = azurerm_storage_container.packages.id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = var.base.backend_identity_principal_id
  principal_type       = "ServicePrincipal"
}

module "machine" {
  source = "../vm-base"

  backend     = var.backend
  environment = merge({ AZURE_CLIENT_ID = var.base.backend_identity_client_id }, var.environment)
  host_name   = local.host_name
  more_names  = var.public_address ? [local.public_name] : []
  ports       = local.ports
  disk        = "/dev/disk/azure/scsi1/lun0"
  fetch       = templatefile("${path.module}/files/fetch.sh", { client_id = var.base.backend_identity_client_id })
  # The agent of Azure Monitor reads what syslog gets from the journal.
  packages = ["rsyslog"]
  commands = []
  files    = {}
}

# --- network

resource "azurerm_private_dns_zone" "this" {
  name                = var.dns_zone
  resource_group_name = var.base.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  name                  = var.name
  resource_group_name   = var.base.resource_group_name
  private_dns_zone_name = azurerm_private_dns_zone.this.name
  virtual_network_id    = var.base.virtual_network_id
  tags                  = var.tags
}

resource "azurerm_private_dns_a_record" "this" {
  name                = "backend"
  resource_group_name = var.base.resource_group_name
  zone_name           = azurerm_private_dns_zone.this.name
  ttl                 = 60
  records             = [azurerm_network_interface.this.private_ip_address]
  tags                = var.tags
}

resource "azurerm_public_ip" "this" {
  count = var.public_address ? 1 : 0

  name                = var.name
  resource_group_name = var.base.resource_group_name
  location            = var.base.location
  allocation_method   = "Static"
  sku                 = "Standard"
  domain_name_label   = local.label
  tags                = var.tags
}

locals {
  public_name = "${local.label}.${var.base.location}.cloudapp.azure.com"

  # What may come in; everything else, from the virtual network too, may not.
  inbound = [for rule in [
    { name = "agents", port = local.ports.agent, from = [var.base.workload_subnet_prefix] },
    { name = "ssh", port = 22, from = var.ssh_from },
    { name = "docker", port = local.ports.docker, from = var.docker_from },
  ] : rule if length(rule.from) > 0]
}

resource "azurerm_network_security_group" "this" {
  name                = var.name
  resource_group_name = var.base.resource_group_name
  location            = var.base.location
  tags                = var.tags

  dynamic "security_rule" {
    for_each = local.inbound

    content {
      name                       = security_rule.value.name
      priority                   = 100 + security_rule.key
      direction                  = "Inbound"
      access                     = "Allow"
      protocol                   = "Tcp"
      source_port_range          = "*"
      source_address_prefixes    = security_rule.value.from
      destination_port_range     = security_rule.value.port
      destination_address_prefix = "*"
    }
  }

  security_rule {
    name                       = "nothing-else"
    priority                   = 4000
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    source_address_prefix      = "*"
    destination_port_range     = "*"
    destination_address_prefix = "*"
  }
}

resource "azurerm_network_interface" "this" {
  name                = var.name
  resource_group_name = var.base.resource_group_name
  location            = var.base.location
  tags                = var.tags

  ip_configuration {
    name                          = "this"
    subnet_id                     = var.base.backend_subnet_id
    private_ip_address_allocation = "Dynamic"
    public_ip_address_id          = one(azurerm_public_ip.this[*].id)
  }
}

# Without a public address the machine reaches Azure and Debian's packages through this.
resource "azurerm_public_ip" "nat" {
  count = var.public_address ? 0 : 1

  name                = "${var.name}-nat"
  resource_group_name = var.base.resource_group_name
  location            = var.base.location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  count = var.public_address ? 0 : 1

  name                = var.name
  resource_group_name = var.base.resource_group_name
  location            = var.base.location
  sku_name            = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  count = var.public_address ? 0 : 1

  nat_gateway_id       = azurerm_nat_gateway.this[0].id
  public_ip_address_id = azurerm_public_ip.nat[0].id
}

resource "azurerm_subnet_nat_gateway_association" "this" {
  count = var.public_address ? 0 : 1

  nat_gateway_id = azurerm_nat_gateway.this[0].id
  subnet_id      = var.base.backend_subnet_id
}

resource "azurerm_network_interface_security_group_association" "this" {
  network_interface_id      = azurerm_network_interface.this.id
  network_security_group_id = azurerm_network_security_group.this.id
}

# --- the machine; its state is on a disk that outlives it

resource "azurerm_linux_virtual_machine" "this" {
  name                = var.name
  resource_group_name = var.base.resource_group_name
  location            = var.base.location
  size                = var.size
  admin_username      = "sockerless-admin"
  custom_data         = base64encode(module.machine.cloud_init)
  # What to run; changing it changes nothing but this text, which the machine looks at every minute.
  user_data             = base64encode("${azurerm_storage_blob.package.url} ${filesha256(var.package_path)}")
  network_interface_ids = [azurerm_network_interface.this.id]
  tags                  = var.tags

  admin_ssh_key {
    username   = "sockerless-admin"
    public_key = var.ssh_public_key
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "StandardSSD_LRS"
  }

  source_image_reference {
    publisher = "Debian"
    offer     = "debian-12"
    sku       = "12-gen2"
    version   = "latest"
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [var.base.backend_identity_id]
  }

  boot_diagnostics {}

  depends_on = [
    azurerm_role_assignment.packages,
    azurerm_network_interface_security_group_association.this,
    azurerm_nat_gateway_public_ip_association.this,
    azurerm_subnet_nat_gateway_association.this,
  ]
}

resource "azurerm_managed_disk" "state" {
  name                 = "${var.name}-state"
  resource_group_name  = var.base.resource_group_name
  location             = var.base.location
  storage_account_type = "StandardSSD_LRS"
  create_option        = "Empty"
  disk_size_gb         = var.disk_gb
  tags                 = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_virtual_machine_data_disk_attachment" "state" {
  managed_disk_id    = azurerm_managed_disk.state.id
  virtual_machine_id = azurerm_linux_virtual_machine.this.id
  lun                = 0
  caching            = "ReadOnly"
}

# --- the journal, in Log Analytics' table Syslog

resource "azurerm_virtual_machine_extension" "monitor" {
  name                       = "AzureMonitorLinuxAgent"
  virtual_machine_id         = azurerm_linux_virtual_machine.this.id
  publisher                  = "Microsoft.Azure.Monitor"
  type                       = "AzureMonitorLinuxAgent"
  type_handler_version       = "1.33"
  auto_upgrade_minor_version = true
  automatic_upgrade_enabled  = true

  settings = jsonencode({
    authentication = {
      managedIdentity = {
        identifier-name  = "mi_res_id"
        identifier-value = var.base.backend_identity_id
      }
    }
  })
}

resource "azurerm_monitor_data_collection_rule" "this" {
  name                = var.name
  resource_group_name = var.base.resource_group_name
  location            = var.base.location
  kind                = "Linux"
  tags                = var.tags

  data_sources {
    syslog {
      name           = "syslog"
      streams        = ["Microsoft-Syslog"]
      facility_names = ["auth", "authpriv", "daemon", "syslog", "user"]
      log_levels     = ["Info", "Notice", "Warning", "Error", "Critical", "Alert", "Emergency"]
    }
  }

  destinations {
    log_analytics {
      name                  = "workspace"
      workspace_resource_id = var.base.log_analytics_resource_id
    }
  }

  data_flow {
    streams      = ["Microsoft-Syslog"]
    destinations = ["workspace"]
  }
}

resource "azurerm_monitor_data_collection_rule_association" "this" {
  name                    = var.name
  target_resource_id      = azurerm_linux_virtual_machine.this.id
  data_collection_rule_id = azurerm_monitor_data_collection_rule.this.id
}
