# shop as its team would hold it in Terraform: the mesh here, a module per service beside it.

variable "mesh_name" {
  type    = string
  default = "shop"
}

variable "release" {
  type = string
}

variable "nodes" {
  type = map(object({
    backends   = optional(list(string), [])
    checked    = optional(bool, false)
    timeout_s  = optional(object({ per_request = number, idle = number }))
    guarded    = optional(bool, false)
  }))
}

locals {
  domain = "${var.mesh_name}.local"
  port   = 8080
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

resource "aws_service_discovery_private_dns_namespace" "shop" {
  name = local.domain
  vpc  = aws_vpc.main.id
}

resource "aws_service_discovery_service" "each" {
  for_each = var.nodes
  name     = each.key

  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.shop.id

    dns_records {
      ttl  = 10
      type = "A"
    }
  }
}

resource "aws_appmesh_mesh" "shop" {
  name = var.mesh_name

  spec {
    egress_filter {
      type = "ALLOW_ALL"
    }
  }
}

resource "aws_appmesh_virtual_node" "each" {
  for_each  = var.nodes
  name      = each.key
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    listener {
      port_mapping {
        port     = local.port
        protocol = "http"
      }

      dynamic "timeout" {
        for_each = each.value.timeout_s == null ? [] : [each.value.timeout_s]
        content {
          http {
            per_request {
              unit  = "s"
              value = timeout.value.per_request
            }
            idle {
              unit  = "s"
              value = timeout.value.idle
            }
          }
        }
      }

      dynamic "health_check" {
        for_each = each.value.checked ? [1] : []
        content {
          protocol            = "http"
          path                = "/health"
          port                = local.port
          interval_millis     = 5000
          timeout_millis      = 2000
          healthy_threshold   = 2
          unhealthy_threshold = 2
        }
      }

      dynamic "outlier_detection" {
        for_each = each.value.guarded ? [1] : []
        content {
          max_ejection_percent = 50
          max_server_errors    = 5
          base_ejection_duration {
            unit  = "s"
            value = 30
          }
          interval {
            unit  = "s"
            value = 10
          }
        }
      }
    }

    dynamic "backend" {
      for_each = each.value.backends
      content {
        virtual_service {
          virtual_service_name = "${backend.value}.${local.domain}"
        }
      }
    }

    service_discovery {
      aws_cloud_map {
        namespace_name = aws_service_discovery_private_dns_namespace.shop.name
        service_name   = aws_service_discovery_service.each[each.key].name
      }
    }

    logging {
      access_log {
        file {
          path = "/dev/stdout"
        }
      }
    }
  }
}

resource "aws_appmesh_virtual_router" "orders" {
  name      = "orders"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    listener {
      port_mapping {
        port     = local.port
        protocol = "http"
      }
    }
  }
}

resource "aws_appmesh_route" "orders" {
  name                = "all"
  mesh_name           = aws_appmesh_mesh.shop.id
  virtual_router_name = aws_appmesh_virtual_router.orders.name

  spec {
    http_route {
      match {
        prefix = "/"
      }

      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.each["orders"].name
          weight       = 1
        }
      }

      retry_policy {
        max_retries       = 3
        http_retry_events = ["server-error", "gateway-error"]
        tcp_retry_events  = ["connection-error"]

        per_retry_timeout {
          unit  = "s"
          value = 2
        }
      }

      timeout {
        per_request {
          unit  = "s"
          value = 8
        }
        idle {
          unit  = "s"
          value = 60
        }
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "orders" {
  name      = "orders.${local.domain}"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    provider {
      virtual_router {
        virtual_router_name = aws_appmesh_virtual_router.orders.name
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "payments" {
  name      = "payments.${local.domain}"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    provider {
      virtual_node {
        virtual_node_name = aws_appmesh_virtual_node.each["payments"].name
      }
    }
  }
}
