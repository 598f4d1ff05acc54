# Stands in for the official broker image where no image can be pulled: the same server, taking the same
# arguments, with the one tool that the health check of compose.yaml needs.
FROM scratch
COPY busybox /usr/bin/wget
COPY nats-server /usr/local/bin/nats-server
ENTRYPOINT ["/usr/local/bin/nats-server"]
