# Terraform runs on the .tf file beside this one.

inputs = {
  endpoint_url = get_env("SOCKERLESS_ENDPOINT_URL", "http://127.0.0.1:4568")
}
