//! chaincode-sdk-macros
