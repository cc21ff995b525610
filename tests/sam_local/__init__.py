"""The README's commands of `sam local`, in containers of Docker or Podman; `make test-sam-local` runs them."""
