resource "aws_ecs_cluster" "shop" {
  name = "shop"
}

resource "aws_lb" "shop" {
  name               = "shop"
  load_balancer_type = "application"
  internal           = false
}

resource "aws_lb_target_group" "web" {
  name        = "shop-web"
  port        = local.port
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = aws_vpc.main.id

  health_check {
    path = "/health"
  }
}

resource "aws_lb_listener" "users" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "shop-web-errors"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 60
  statistic           = "Sum"
  threshold           = 25

  dimensions = {
    LoadBalancer = aws_lb.shop.arn_suffix
  }
}

module "service" {
  source   = "./modules/service"
  for_each = var.nodes

  name         = each.key
  cluster      = aws_ecs_cluster.shop.id
  node_arn     = aws_appmesh_virtual_node.each[each.key].arn
  registry_arn = aws_service_discovery_service.each[each.key].arn
  port         = local.port
  image        = format("%s.dkr.ecr.%s.amazonaws.com/shop/%s:%s", data.aws_caller_identity.current.account_id, data.aws_region.current.name, each.key, var.release)
  urls         = { for callee in each.value.backends : "${upper(callee)}_URL" => "http://${callee}.${local.domain}:${local.port}" }

  target_group_arns = each.key == "web" ? [aws_lb_target_group.web.arn] : []
}
