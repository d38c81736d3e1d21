# Debian packages, one a component: `cpack -G DEB` in the build folder. Libraries that they need are found by dpkg-shlibdeps.
set(CPACK_PACKAGE_VENDOR "Besom")
set(CPACK_PACKAGE_CONTACT "Besom maintainers <besom@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Self-hosted engine for hyperparameter sweeps")
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_COMPONENTS_ALL server agent command library development)
set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)

macro(debian_package component name section summary)
    string(TOUPPER ${component} upper)
    set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
    set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
    set(CPACK_COMPONENT_${upper}_DESCRIPTION "${summary}")
endmacro()

debian_package(server besom-server science "Controller, suggestion and scheduler services of Besom, with systemd units")
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS "besom, postgresql, libnss-systemd")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
    "${debian}/server/postinst;${debian}/server/prerm;${debian}/server/postrm;${debian}/server/conffiles")
debian_package(agent besom-agent science "Agent of Besom: runs what a sweep hands out, and the Python package for its runs")
set(CPACK_DEBIAN_AGENT_PACKAGE_SUGGESTS "python3")
set(CPACK_DEBIAN_AGENT_PACKAGE_CONTROL_EXTRA
    "${debian}/agent/postinst;${debian}/agent/prerm;${debian}/agent/postrm;${debian}/agent/conffiles")
debian_package(command besom science "Command line of Besom: sweeps, runs, metrics, and a local stack")
set(CPACK_DEBIAN_COMMAND_PACKAGE_RECOMMENDS "besom-agent")
set(CPACK_DEBIAN_COMMAND_PACKAGE_SUGGESTS "besom-server, postgresql")
debian_package(library libbesom libs "C client library of Besom")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_GENERATE_SHLIBS ON)
debian_package(development libbesom-dev libdevel "Headers of the C client library of Besom")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libbesom (= ${PROJECT_VERSION}), libprotobuf-c-dev")

# Units and settings, on systems with systemd. Absolute, because they belong to the system and not to a prefix.
set(units ${CMAKE_SOURCE_DIR}/deploy/systemd)
option(BESOM_INSTALL_UNITS "Install systemd units and the settings in /etc/besom" OFF)
if(BESOM_INSTALL_UNITS)
    install(FILES ${units}/besom-migrate.service ${units}/besom-controller.service ${units}/besom-suggestion.service
                  ${units}/besom-scheduler.service ${units}/besom.target
            DESTINATION lib/systemd/system COMPONENT server)
    install(FILES ${units}/besom-agent@.service DESTINATION lib/systemd/system COMPONENT agent)
    install(FILES ${units}/controller.conf ${units}/suggestion.conf ${units}/scheduler.conf
            DESTINATION /etc/besom COMPONENT server)
    install(FILES docs/systemd.md DESTINATION share/doc/besom-server COMPONENT server)
    install(FILES docs/systemd.md DESTINATION share/doc/besom-agent COMPONENT agent)
    install(FILES ${units}/besom.env DESTINATION /etc/besom COMPONENT server PERMISSIONS OWNER_READ OWNER_WRITE)
    install(FILES ${units}/agent.env DESTINATION /etc/besom COMPONENT agent PERMISSIONS OWNER_READ OWNER_WRITE)
endif()
include(CPack)
