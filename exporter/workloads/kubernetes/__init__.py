"""Pods of Kubernetes on this node."""
