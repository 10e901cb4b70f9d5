variable "name" {}
variable "cluster" {}
variable "node_arn" {}
variable "registry_arn" {}
variable "image" {}

variable "port" {
  type = number
}

variable "urls" {
  type = map(string)
}

variable "target_group_arns" {
  type    = list(string)
  default = []
}

resource "aws_ecs_task_definition" "this" {
  family                   = "shop-${var.name}"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 512
  memory                   = 1024

  container_definitions = templatefile("${path.module}/templates/containers.json.tftpl", {
    image    = var.image
    name     = var.name
    node_arn = var.node_arn
    port     = var.port
    urls     = var.urls
  })

  proxy_configuration {
    type           = "APPMESH"
    container_name = "envoy"
    properties = {
      AppPorts         = tostring(var.port)
      EgressIgnoredIPs = "169.254.170.2,169.254.169.254"
      IgnoredUID       = "1337"
      ProxyEgressPort  = 15001
      ProxyIngressPort = 15000
    }
  }
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster
  task_definition = aws_ecs_task_definition.this.arn
  launch_type     = "FARGATE"
  desired_count   = 2

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = length(var.target_group_arns) > 0 ? 60 : null

  dynamic "load_balancer" {
    for_each = toset(var.target_group_arns)
    content {
      container_name   = "app"
      container_port   = var.port
      target_group_arn = load_balancer.value
    }
  }

  service_registries {
    registry_arn = var.registry_arn
  }
}
