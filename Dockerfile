# All images of this tree, a target each; any builder does, BuildKit or not:
#
#   docker build --target sockerless-backend-aca -t sockerless/backend-aca .
#
# What runs is built from scratch: one executable, the libraries that it is linked with, CA certificates, and a user
# of its own (65532). There is no shell in it.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
WORKDIR /src
COPY tools/install-deps.sh tools/
RUN tools/install-deps.sh build && rm -rf /var/lib/apt/lists
COPY . .
RUN tools/configure.sh /build release \
 && ninja -C /build cmd/sockerless-agent cmd/sockerless-backend-aca cmd/sockerless-backend-azf cmd/sockerless-backend-gcf \
    tests/simulators/sockerless-sim-azure tests/simulators/sockerless-sim-gcp \
 && for x in aca azf gcf; do tools/image-root.sh /build/cmd/sockerless-backend-$x /roots/$x; done

# The agent alone: what SOCKERLESS_ACA_AGENT_IMAGE names, and the stage to copy from for images that bring it themselves.
FROM scratch AS sockerless-agent
COPY --from=build /build/cmd/sockerless-agent /sockerless-agent
USER 65532:65532
ENTRYPOINT ["/sockerless-agent"]

# The daemons. State is in the volume; which address the Docker API has, and how it is guarded, is the caller's choice.
FROM scratch AS sockerless-backend-aca
COPY --from=build /roots/aca /
USER 65532:65532
VOLUME /var/lib/sockerless
ENTRYPOINT ["/usr/bin/sockerless-backend-aca"]

FROM scratch AS sockerless-backend-azf
COPY --from=build /roots/azf /
USER 65532:65532
VOLUME /var/lib/sockerless
ENTRYPOINT ["/usr/bin/sockerless-backend-azf"]

FROM scratch AS sockerless-backend-gcf
COPY --from=build /roots/gcf /
USER 65532:65532
VOLUME /var/lib/sockerless
ENTRYPOINT ["/usr/bin/sockerless-backend-gcf"]

# The simulators run workloads with runc, so they want --privileged, and tools that fetch images.
FROM ${BASE} AS simulator
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    ca-certificates runc skopeo umoci libcjson1 libcivetweb1 libmbedtls14 >/dev/null && rm -rf /var/lib/apt/lists
COPY --from=build /build/cmd/sockerless-agent /usr/lib/sockerless/sockerless-agent
# Workloads are overlays, which lie on no other overlay: not on the image's.
VOLUME /var/lib/sockerless-sim

FROM simulator AS sockerless-sim-azure
COPY --from=build /build/tests/simulators/sockerless-sim-azure /usr/bin/
EXPOSE 4568
ENTRYPOINT ["sockerless-sim-azure", "--state-dir", "/var/lib/sockerless-sim", "--listen", "0.0.0.0:4568", "--agent", "/usr/lib/sockerless/sockerless-agent"]

FROM simulator AS sockerless-sim-gcp
COPY --from=build /build/tests/simulators/sockerless-sim-gcp /usr/bin/
EXPOSE 4567
ENTRYPOINT ["sockerless-sim-gcp", "--state-dir", "/var/lib/sockerless-sim", "--listen", "0.0.0.0:4567", "--agent", "/usr/lib/sockerless/sockerless-agent"]
