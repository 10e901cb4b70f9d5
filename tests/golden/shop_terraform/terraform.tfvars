release = "2026.11"

nodes = {
  web = {
    backends = ["orders"]
  }
  orders = {
    backends  = ["payments"]
    checked   = true
    guarded   = true
    timeout_s = { per_request = 10, idle = 120 }
  }
  payments = {
    checked = true
  }
}
