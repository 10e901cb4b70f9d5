# bookings as its team would hold it in Terraform: no mesh, a module per service.

variable "release" {
  type    = string
  default = "2026.11"
}

locals {
  application = "bookings"
  domain      = "${local.application}.local"
  services = {
    site   = { port = 8080, urls = { ROOMS_URL = "http://rooms.${local.domain}:8080", QUOTES_URL = "http://${aws_route53_record.quotes.name}" } }
    rooms  = { port = 8080, registered = true }
    quotes = { port = 9000 }
    rates  = { port = 8080, registered = true }
  }
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name = local.domain
  vpc  = aws_vpc.main.id
}

resource "aws_service_discovery_service" "each" {
  for_each = toset(["rooms", "rates"])
  name     = each.value

  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.this.id

    dns_records {
      ttl  = 10
      type = "A"
    }
  }
}

resource "aws_lb" "users" {
  name               = local.application
  load_balancer_type = "application"
  internal           = false
}

resource "aws_lb" "internal" {
  name               = "${local.application}-internal"
  load_balancer_type = "application"
  internal           = true
}

resource "aws_lb_target_group" "each" {
  for_each    = { site = 8080, quotes = 9000 }
  name        = join("-", [local.application, each.key])
  port        = each.value
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = aws_vpc.main.id

  health_check {
    path = "/health"
  }
}

resource "aws_lb_listener" "each" {
  for_each          = { site = aws_lb.users.arn, quotes = aws_lb.internal.arn }
  load_balancer_arn = each.value
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.each[each.key].arn
  }
}

resource "aws_route53_zone" "internal" {
  name = "${local.application}.internal"

  vpc {
    vpc_id = aws_vpc.main.id
  }
}

resource "aws_route53_record" "quotes" {
  zone_id = aws_route53_zone.internal.zone_id
  name    = "quotes.${local.application}.internal"
  type    = "A"

  alias {
    name                   = aws_lb.internal.dns_name
    zone_id                = aws_lb.internal.zone_id
    evaluate_target_health = false
  }
}

resource "aws_ecs_cluster" "this" {
  name = local.application
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "bookings-site-errors"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 60
  statistic           = "Sum"
  threshold           = 25

  dimensions = {
    LoadBalancer = aws_lb.users.arn_suffix
  }
}

module "service" {
  source   = "./modules/service"
  for_each = local.services

  name              = each.key
  cluster           = aws_ecs_cluster.this.id
  image             = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${data.aws_region.current.name}.amazonaws.com/bookings/${each.key}:${var.release}"
  port              = each.value.port
  urls              = lookup(each.value, "urls", {})
  registry_arns     = lookup(each.value, "registered", false) ? [aws_service_discovery_service.each[each.key].arn] : []
  target_group_arns = contains(["site", "quotes"], each.key) ? [aws_lb_target_group.each[each.key].arn] : []
}
