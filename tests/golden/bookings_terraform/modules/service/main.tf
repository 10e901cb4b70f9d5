variable "name" {}
variable "cluster" {}
variable "image" {}

variable "port" {
  type = number
}

variable "urls" {
  type = map(string)
}

variable "registry_arns" {
  type = list(string)
}

variable "target_group_arns" {
  type = list(string)
}

resource "aws_ecs_task_definition" "this" {
  family                   = "bookings-${var.name}"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 256
  memory                   = 512

  container_definitions = jsonencode([
    {
      name         = "app"
      image        = var.image
      essential    = true
      portMappings = [{ containerPort = var.port, protocol = "tcp" }]
      environment  = concat([{ name = "PORT", value = tostring(var.port) }], [for key, url in var.urls : { name = key, value = url }])
      healthCheck = {
        command     = ["CMD-SHELL", "curl -fsS http://localhost:${var.port}/health || exit 1"]
        interval    = 10
        timeout     = 5
        retries     = 3
        startPeriod = 10
      }
    }
  ])
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
    for_each = var.target_group_arns
    content {
      container_name   = "app"
      container_port   = var.port
      target_group_arn = load_balancer.value
    }
  }

  dynamic "service_registries" {
    for_each = var.registry_arns
    content {
      registry_arn = service_registries.value
    }
  }
}
